"""A small house to ask: a catalogue of two models, an owner, a clock that stands still."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from starlette.types import ASGIApp

from asks import Answer, asked
from farebox.accounts import commands
from farebox.accounts.types import KeyWish
from farebox.api.app import build
from farebox.api.control import Control
from farebox.api.opening import House
from farebox.catalogue.snapshot import sealed
from farebox.catalogue.types import Endpoint, Model, Provider
from farebox.insights.types import Attempt, GenerationRecord
from farebox.link.messages import Pulse
from farebox.money.sheets import PriceSheet
from farebox.settings.schema import Settings

NOW_S = 1_795_503_600.0
ODD = "<script>alert(1)</script>\"'{{7*7}}"
PULSE = Pulse(worker="w1", pid=1, started_ms=1, metrics={'farebox_requests_total{operation="chat"}': 4})


def endpoint(model: str, provider: str, price: int) -> Endpoint:
    sheet = PriceSheet(version=f"v{price}", effective_from_s=0, prices={"input_fresh": price, "output_text": price * 4})
    return Endpoint(
        id=f"{model}@{provider}",
        model=model,
        provider=provider,
        provider_name=f"Provider {provider} {ODD}",
        tag=provider,
        vendor=provider,
        vendor_model="x",
        dialect="openai_chat",
        sheets=(sheet,),
    )


SNAPSHOT = sealed(
    models={
        "acme/small": Model(
            slug="acme/small", name=f"Small {ODD}", author="acme", author_name="Acme", context_length=4096
        ),
        "acme/large": Model(
            slug="acme/large", name="Large", author="acme", author_name="Acme", created_s=1_700_000_000
        ),
        "local/org/deep": Model(slug="local/org/deep", name="Deep", author="local", author_name="Local"),
    },
    endpoints={
        "acme/small": (endpoint("acme/small", "p1", 100_000), endpoint("acme/small", "p2", 50_000)),
        "acme/large": (endpoint("acme/large", "p3", 2_500_000),),
        "local/org/deep": (endpoint("local/org/deep", "p3", 0),),
    },
    providers={name: Provider(slug=name, name=f"Provider {name}") for name in ("p1", "p2", "p3")},
    aliases={"acme/small-2026": "acme/small"},
)


class Asked:
    """The house with its keys; `ask` sends one request."""

    def __init__(self, house: House, control: Control, app: ASGIApp, clock: list[float]) -> None:
        self.house = house
        self.control = control
        self.clock = clock
        self.app = app
        self.owner = house.owner_key or ""

    def key(self, organisation: str = "owner", **wish: Any) -> str:
        wanted = KeyWish(name=wish.pop("name", "a key"), **wish)
        now_ms = int(NOW_S * 1000)
        return self.house.store.write_now(
            commands.create_key, self.house.pepper, organisation, wanted, now_ms=now_ms
        ).secret

    def ask(self, method: str, path: str, key: str | None = None, json: object = None, **rest: Any) -> Answer:
        headers = dict(rest.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        if json is not None:
            rest["body"] = json if isinstance(json, bytes) else msgspec.json.encode(json)
            headers.setdefault("Content-Type", "application/json")
        return asked(self.app, method, path, headers=headers, **rest)


@contextmanager
def opened(folder: Path) -> Iterator[Asked]:
    with House(folder / "home", keep_owner_key=True, now_ms=int(NOW_S * 1000)) as house:
        clock = [NOW_S]
        control = Control(house.store, SNAPSHOT, pepper=house.pepper, live=frozenset({"p1"}), clock=lambda: clock[0])
        yield Asked(house, control, build(control, Settings()), clock)


def record(name: str = "gen-1", organisation: str = "owner", **changes: Any) -> bytes:
    values: dict[str, Any] = {
        "id": name,
        "created_ms": int(NOW_S * 1000) - 1000,
        "organisation": organisation,
        "key_id": "k",
        "worker": "w1",
        "operation": "chat",
        "dialect": "openai_chat",
        "model_asked": "acme/small",
        "model": "acme/small",
        "provider": "p1",
        "endpoint": "acme/small@p1",
        "streamed": True,
        "usage": {"input_fresh": 10, "output_text": 5},
        "total_nano": 2_000_000_000,
        "attempts": (
            Attempt(
                endpoint="acme/small@p1", provider="p1", outcome="ok", status=200, first_byte_ms=50.0, ended_ms=150.0
            ),
        ),
    }
    return msgspec.json.encode(GenerationRecord(**(values | changes)))
