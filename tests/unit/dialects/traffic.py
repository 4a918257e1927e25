"""Owns reading the recorded traffic and what two answers mean when compared; refuses to know the code under test's insides."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from farebox.dialects.ports import Envelope, Target

MADE_ID = re.compile(r"call_\w*_\d+_\d+")
ROOT = Path(__file__).parents[2] / "wire"


class Exchange(NamedTuple):
    name: str
    vendor: str
    api: str
    request: Any
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def streamed(self) -> bool:
        return b"data:" in self.body[:4096] and not self.body.lstrip().startswith(b"{")

    @property
    def choices(self) -> int:
        return (self.request.get("n") or 1) if isinstance(self.request, dict) else 8

    def target(self) -> Target:
        model = self.request.get("model") if isinstance(self.request, dict) else None
        return Target(
            model=model or "deployment",
            vendor=self.vendor,
            reasoning_field="think" if self.vendor == "perplexity" else "reasoning_content",
            usage={"reasoning": "outside"} if self.vendor == "xai" else {},
        )

    def envelope(self) -> Envelope:
        return Envelope(id="gen-1", model="author/model", provider="Provider", created_s=9, choices=self.choices)


@cache
def exchanges(kind: str = "chat") -> tuple[Exchange, ...]:
    """Every recorded exchange of a kind (`chat`, `completions`, `embeddings`)."""
    found = []
    for path in sorted(ROOT.glob("*/*.json")):
        data = json.loads(path.read_bytes())
        if data["api"].rpartition(".")[2] != kind:
            continue
        request, response = data["request"]["body"], data["response"]
        headers = {name.encode(): str(value).encode() for name, value in response["headers"].items()}
        found.append(
            Exchange(
                f"{data['vendor']}/{path.stem}",
                data["vendor"],
                data["api"],
                request,
                response["status"],
                headers,
                response["body"].encode(),
            )
        )
    return tuple(found)


def answers(kind: str = "chat") -> list[Exchange]:
    return [exchange for exchange in exchanges(kind) if exchange.status < 400]


def requests(kind: str = "chat") -> list[Exchange]:
    """Exchanges whose request an OpenAI client would send."""
    return [
        exchange
        for exchange in exchanges(kind)
        if isinstance(exchange.request, dict) and exchange.request.get("model") and exchange.status < 400
    ]


def chunks(stream: bytes) -> list[dict[str, Any]]:
    """The JSON events of a stream of ours."""
    events = [event for event in stream.split(b"\n\n") if event]
    assert all(event.startswith(b"data: ") for event in events)
    return [json.loads(event[6:]) for event in events if event != b"data: [DONE]"]


def merged(stream: bytes) -> dict[str, Any]:
    """What a client has after reading a stream: texts joined, tool calls put together, the last of the rest."""
    choices: dict[int, dict[str, Any]] = {}
    out: dict[str, Any] = {}
    for chunk in chunks(stream):
        for name in ("usage", "error"):
            if chunk.get(name):
                out[name] = chunk[name]
        for choice in chunk["choices"]:
            into = choices.setdefault(
                choice["index"], {"content": "", "reasoning": "", "refusal": "", "calls": {}, "sealed": []}
            )
            _merge(into, choice)
    out["choices"] = choices
    return out


def _merge(into: dict[str, Any], choice: dict[str, Any]) -> None:
    delta = choice["delta"]
    for name in ("content", "reasoning", "refusal"):
        into[name] += delta.get(name) or ""
    for call in delta.get("tool_calls") or ():
        inner = call.get("function") or call.get("custom") or {}
        known = into["calls"].setdefault(call["index"], {"id": "", "name": "", "arguments": ""})
        known["id"] = MADE_ID.sub("made", call.get("id") or known["id"])
        known["name"] = inner.get("name") or known["name"]
        known["arguments"] += inner.get("arguments") or inner.get("input") or ""
    for detail in delta.get("reasoning_details") or ():
        if detail.get("signature") or detail.get("data"):
            into["sealed"].append((detail.get("signature"), detail.get("data"), detail.get("format")))
    audio = delta.get("audio") or {}
    into["audio"] = into.get("audio", "") + (audio.get("data") or "")
    into["heard"] = into.get("heard", "") + (audio.get("transcript") or "")
    into["images"] = into.get("images", []) + [image["image_url"]["url"] for image in delta.get("images") or ()]
    into["cited"] = into.get("cited", []) + [
        note["url_citation"]["url"] for note in delta.get("annotations") or () if note.get("type") == "url_citation"
    ]
    for name in ("finish_reason", "native_finish_reason"):
        into[name] = choice.get(name) or into.get(name)


def plain(value: Any) -> Any:
    """A value without members that say nothing."""
    if isinstance(value, dict):
        return {
            name: plain(inner) for name, inner in value.items() if inner is not None and inner != [] and inner != {}
        }
    return [plain(item) for item in value] if isinstance(value, list) else value
