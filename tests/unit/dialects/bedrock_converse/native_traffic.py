"""Owns reading the recorded traffic of the native dialects, and the laws every decoder keeps; refuses their words."""

import base64
import itertools
import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest

from farebox.dialects.ports import ClientHalf, Envelope, Outcome, Target
from farebox.dialects.registry import SERVERS
from farebox.ir.errors import EmptyAnswer
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    CitationAdded,
    Event,
    Failed,
    Finished,
    MediaDelta,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    Started,
    TextDelta,
    UsageReported,
)
from farebox.ir.fold import fold, unfold
from farebox.money.charges import Charge
from unit.dialects.traffic import merged

ROOT = Path(__file__).parents[3] / "wire"
DELTAS = (TextDelta, ReasoningDelta, SealDelta, ArgumentsDelta, MediaDelta, CitationAdded)
CHARGE = Charge(total_nano=12, vendor_nano=10, toll_nano=2)
CHAT = SERVERS["openai_chat"]


class Exchange(NamedTuple):
    name: str
    model: str
    request: Any
    status: int
    headers: dict[bytes, bytes]
    body: bytes
    streamed: bool

    def target(self, **rest: Any) -> Target:
        return Target(model=self.model, vendor="v", **rest)


@cache
def exchanges(pattern: str) -> tuple[Exchange, ...]:
    found = []
    for path in sorted(ROOT.glob(pattern)):
        data = json.loads(path.read_bytes())
        response, url = data["response"], data["request"]["url"]
        raw = response["body"]
        body = base64.b64decode(raw) if response.get("encoding") == "base64" else raw.encode()
        in_path = unquote(url.split("/model/")[1].split("/")[0]) if "/model/" in url else ""
        streamed = url.endswith("converse-stream") or body.startswith(b"event:") or b"ndjson" in str(response).encode()
        headers = {name.encode(): str(value).encode() for name, value in response["headers"].items()}
        model = in_path or data["model"] or "model"
        found.append(
            Exchange(path.stem[:110], model, data["request"]["body"], response["status"], headers, body, streamed)
        )
    assert found
    return tuple(found)


def by_name(items: list[Exchange]) -> Any:
    return pytest.mark.parametrize("exchange", items, ids=[item.name for item in items])


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


def streamed(client: ClientHalf, exchange: Exchange, parts: list[bytes]) -> tuple[list[Event], Outcome]:
    decoder = client.stream(exchange.target())
    events: list[Event] = []
    for part in parts:
        events += decoder.feed(part)
    return events + decoder.close(), decoder.outcome


def decoded(client: ClientHalf, exchange: Exchange) -> tuple[list[Event], Outcome]:
    if exchange.streamed:
        return streamed(client, exchange, [exchange.body])
    return client.whole(exchange.body, exchange.target())


def check_blocks(events: list[Event]) -> None:
    """Deltas only inside an open part, indexes never reused, one end for each choice, one terminal event."""
    open_parts: set[int] = set()
    used: set[int] = set()
    ended = False
    for position, event in enumerate(events):
        if isinstance(event, Started):
            assert position == 0
        elif isinstance(event, PartStarted):
            assert event.index not in used and not ended
            used.add(event.index)
            open_parts.add(event.index)
        elif isinstance(event, DELTAS):
            assert event.index in open_parts
        elif isinstance(event, PartEnded):
            open_parts.remove(event.index)
        elif isinstance(event, ChoiceEnded):
            assert not ended and not open_parts
            ended = True
        elif isinstance(event, Finished):
            assert ended
    assert not open_parts
    assert sum(isinstance(event, Finished | Failed) for event in events) == 1
    assert isinstance(events[-1], Finished | Failed)
    assert sum(isinstance(event, UsageReported) for event in events) <= 1


def check_fold(events: list[Event]) -> None:
    """A fold tells the same again, and every prefix folds."""
    response = fold(events)
    assert fold(unfold(response)) == response
    for length in range(len(events)):
        fold(events[:length])


def check_every_cut(client: ClientHalf, exchange: Exchange) -> None:
    """The events do not depend on where the bytes were cut: at each single byte, and into single bytes."""
    whole, outcome = streamed(client, exchange, [exchange.body])
    data = exchange.body
    step = max(1, len(data) // 400)
    for cut in range(1, len(data), step):
        assert same(streamed(client, exchange, [data[:cut], data[cut:]]), (whole, outcome))
    if len(data) < 20_000:
        assert same(streamed(client, exchange, [data[at : at + 1] for at in range(len(data))]), (whole, outcome))


def same(one: tuple[list[Event], Outcome], other: tuple[list[Event], Outcome]) -> bool:
    return told(one[0]) == told(other[0]) and told_outcome(one[1]) == told_outcome(other[1])


def told(events: list[Event]) -> list[Any]:
    """Events with errors as what they say, since errors are the same by identity only."""
    return [(type(event.error), event.error.message) if isinstance(event, Failed) else event for event in events]


def told_outcome(outcome: Outcome) -> list[Any]:
    return [
        (type(value), getattr(value, "message", "")) if name == "error" else value
        for name, value in ((name, getattr(outcome, name)) for name in outcome.__struct_fields__)
    ]


def envelope() -> Envelope:
    return Envelope(id="gen-1", model="author/model", provider="Provider", created_s=9)


def as_chat(client: ClientHalf, exchange: Exchange) -> dict[str, Any]:
    """What a chat client has in the end: `text`, `reasoning`, `calls`, `seals`, `finish`, `usage`, `cited`."""
    if exchange.streamed:
        decoder, encoder = client.stream(exchange.target()), CHAT.stream(envelope())
        out = b"".join(
            encoder.feed(decoder.feed(part))
            for part in pieces(exchange.body, [len(exchange.body) // 3, len(exchange.body) // 2])
        )
        out += encoder.feed(decoder.close()) + encoder.finish(CHARGE)
        answer = merged(out)
        (choice,) = answer["choices"].values()
        return {
            "text": choice["content"],
            "reasoning": choice["reasoning"],
            "calls": [(call["name"], json.loads(call["arguments"])) for call in choice["calls"].values()],
            "seals": [signature or data for signature, data, _ in choice["sealed"]],
            "finish": choice["finish_reason"],
            "native": choice["native_finish_reason"],
            "usage": answer["usage"],
        }
    events, outcome = client.whole(exchange.body, exchange.target())
    assert outcome.error is None or isinstance(outcome.error, EmptyAnswer)
    answer = json.loads(CHAT.whole(fold(events), envelope(), CHARGE))
    (one,) = answer["choices"]
    message = one["message"]
    return {
        "text": message["content"] or "",
        "reasoning": message.get("reasoning") or "",
        "calls": [
            (call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or []
        ],
        "seals": [
            entry.get("signature") or entry.get("data")
            for entry in message.get("reasoning_details") or []
            if entry.get("signature") or entry.get("data")
        ],
        "finish": one["finish_reason"],
        "native": one["native_finish_reason"],
        "usage": answer["usage"],
    }
