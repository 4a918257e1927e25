"""Owns what is measured: each scenario's load and how its figure is read; refuses to know the targets."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A fixed number of requests; `pace` is the mock's prefix for targets that pass paths on unchanged."""

    name: str
    title: str
    body: str
    connections: int
    events: int = 0
    pace: str = ""
    requests_per_connection: int = 0
    seconds: float = 2.5


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="json", title="request, whole answer", body="json", connections=64),
        Scenario(name="burst", title="stream of 20 events in one burst", body="burst", connections=64, events=20),
        Scenario(
            name="paced",
            title="stream of 20 events, one each 10 ms",
            body="paced",
            connections=64,
            events=20,
            pace="/d10n20",
            requests_per_connection=8,
        ),
        Scenario(name="lat", title="one request at a time", body="json", connections=1, seconds=1.5),
        Scenario(name="json4k", title="prompt of 4 KiB", body="json4k", connections=64),
        Scenario(name="json32k", title="prompt of 32 KiB", body="json32k", connections=64),
        Scenario(name="json1m", title="prompt of 1 MiB", body="json1m", connections=4, seconds=2.0),
    )
}
SPECIAL = {
    "idle": "2,000 open streams: memory of each",
    "beside": "small requests while 1 MiB requests pass: delay",
}
