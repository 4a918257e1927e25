"""Owns reading the recorded Messages traffic and what two answers mean when compared; refuses the code under test's insides."""

import base64
import itertools
import json
import struct
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Raw

from farebox.dialects.ports import Envelope, Target

ROOT = Path(__file__).parents[3] / "wire"
APIS = (
    "anthropic.messages",
    "azure.anthropic.messages",
    "vertex.anthropic.rawPredict",
    "vertex.anthropic.streamRawPredict",
)
HOSTED = ("bedrock.invoke", "bedrock.invoke_stream")


class Exchange(NamedTuple):
    name: str
    api: str
    model: str
    request: Any
    status: int
    headers: dict[bytes, bytes]
    body: bytes
    framed: bool = False

    @property
    def streamed(self) -> bool:
        return self.framed or (b"data:" in self.body[:4096] and not self.body.lstrip().startswith(b"{"))

    @property
    def spelled(self) -> bytes:
        """The stream as SSE, whatever its framing."""
        return _frames(self.body) if self.framed else self.body

    def target(self) -> Target:
        hosted = self.api.startswith(("vertex", "bedrock"))
        options = {"system_in_messages"} | ({"no_model"} if hosted else set())
        options |= {"no_stream"} if self.api.startswith("bedrock") else set()
        options |= {"aws_event_stream"} if self.framed else set()
        version = (self.request or {}).get("anthropic_version")
        force = {"anthropic_version": Raw(json.dumps(version).encode())} if version else {}
        return Target(model=self.model, vendor="v", options=frozenset(options), force=force)

    def sent(self) -> dict[str, Any]:
        """The request as a client of ours would send it: hosts keep the model elsewhere."""
        body = {name: value for name, value in self.request.items() if name != "anthropic_version"}
        return {"model": "author/model"} | body


def envelope() -> Envelope:
    return Envelope(id="gen-1", model="author/model", provider="Provider", created_s=9)


def _frames(data: bytes) -> bytes:
    """The events inside an AWS event stream, as SSE."""
    out, at = [], 0
    while at < len(data):
        total, heads = struct.unpack_from(">II", data, at)
        payload = data[at + 12 + heads : at + total - 4]
        event = base64.b64decode(json.loads(payload)["bytes"])
        out.append(b"event: %b\ndata: %b\n\n" % (json.loads(event)["type"].encode(), event))
        at += total
    return b"".join(out)


@cache
def exchanges() -> tuple[Exchange, ...]:
    found = []
    for path in sorted(ROOT.glob("*/*.json")):
        data = json.loads(path.read_bytes())
        request, response = data["request"]["body"], data["response"]
        hosted = data["api"] in HOSTED and isinstance(request, dict) and "anthropic_version" in request
        if data["api"] not in APIS and not hosted:
            continue
        framed = response.get("encoding") == "base64"
        body = base64.b64decode(response["body"]) if framed else response["body"].encode()
        headers = {name.encode(): str(value).encode() for name, value in response["headers"].items()}
        model = data["model"] or "claude-sonnet-4-5"
        name = f"{data['vendor']}/{path.stem}"
        found.append(Exchange(name, data["api"], model, request, response["status"], headers, body, framed))
    return tuple(found)


def answers() -> list[Exchange]:
    """Answers that are one message; one recording holds fifteen, one after the other."""
    return [
        item
        for item in exchanges()
        if item.status < 400
        and (item.streamed or json.loads(item.body).get("type") == "message")
        and item.body.count(b'"type":"message_start"') <= 1
    ]


def requests() -> list[Exchange]:
    return [
        item
        for item in exchanges()
        if isinstance(item.request, dict) and "messages" in item.request and item.status < 400
    ]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream by plain means; the `event:` line agrees with the type."""
    found = []
    for block in stream.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = block.split(b"\n")
        data = b"".join(line[5:].strip() for line in lines if line.startswith(b"data:"))
        if not data:
            continue
        event = json.loads(data)
        named = [line[6:].strip().decode() for line in lines if line.startswith(b"event:")]
        assert not named or named == [event["type"]]
        found.append(event)
    return found


def message_of(stream: bytes) -> dict[str, Any]:
    """What a client has after reading a stream: the message, grown by its deltas."""
    message: dict[str, Any] = {}
    partial: dict[int, str] = {}
    for event in events_of(stream):
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(dict(event["content_block"]))
            case "content_block_delta":
                _grow(message["content"][event["index"]], event, partial)
            case "content_block_stop":
                if partial.get(event["index"]):
                    message["content"][event["index"]]["input"] = _arguments(partial[event["index"]])
            case "message_delta":
                message |= event["delta"]
                message["usage"] = {**message["usage"], **_counted(event.get("usage") or {}, message["usage"])}
            case "error":
                message["error"] = event["error"]
    return message


def _arguments(text: str) -> Any:
    """Arguments as far as they came: an answer may be cut inside of them."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"input": text}


def _counted(later: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in later.items() if value or not earlier.get(name)}


def _grow(block: dict[str, Any], event: dict[str, Any], partial: dict[int, str]) -> None:
    delta = event["delta"]
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            partial[event["index"]] = partial.get(event["index"], "") + delta["partial_json"]
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]


def normal(message: dict[str, Any]) -> Any:
    """A message modulo NOTES.md: what says nothing is left out; our own members are apart."""
    out = plain(message)
    out.pop("provider", None)
    for name in ("cost", "is_byok", "cost_details"):
        out.get("usage", {}).pop(name, None)
    usage = out.get("usage", {})
    written = usage.get("cache_creation_input_tokens")
    if written and sum(usage.get("cache_creation", {}).values()) != written:
        usage["cache_creation"] = {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0}
    for name in ("cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation", "server_tool_use"):
        inner = out.get("usage", {}).get(name)
        if not inner or (isinstance(inner, dict) and not any(inner.values())):
            out.get("usage", {}).pop(name, None)
    return out


def plain(value: Any) -> Any:
    """A value without members that say nothing."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items() if one is not None and one != [] and one != ""}
    return [plain(item) for item in value] if isinstance(value, list) else value
