"""Owns reading the recorded Responses traffic and what two of its documents mean when compared; refuses the code's insides."""

import json
from typing import Any

import msgspec
import pytest

from farebox.dialects.ports import Envelope, Target
from farebox.ir.events import Event, Response
from farebox.money.charges import Charge
from unit.dialects.traffic import Exchange, exchanges

CHARGE = Charge(total_nano=12, vendor_nano=10, toll_nano=2, prompt_nano=4, completion_nano=6)
STATE = ("store", "previous_response_id", "background")


def target(**more: Any) -> Target:
    return Target(**({"model": "vendor-model", "vendor": "v"} | more))


def envelope(**more: Any) -> Envelope:
    return Envelope(**({"id": "gen-1", "model": "author/model", "provider": "Provider", "created_s": 9} | more))


def answers() -> list[Exchange]:
    return [exchange for exchange in exchanges("responses") if exchange.status < 400]


def refusals() -> list[Exchange]:
    return [exchange for exchange in exchanges("responses") if exchange.status >= 400]


def broken() -> list[Exchange]:
    """Streams that end in a failure."""
    return [exchange for exchange in answers() if b"response.failed" in exchange.body]


def whole_answers() -> list[Exchange]:
    return [exchange for exchange in answers() if not exchange.streamed]


def streams() -> list[Exchange]:
    return [exchange for exchange in answers() if exchange.streamed and b"response.failed" not in exchange.body]


def requests() -> list[Exchange]:
    """Requests that were accepted, or refused for what an account may not do."""
    return [
        exchange
        for exchange in exchanges("responses")
        if isinstance(exchange.request, dict) and exchange.request.get("temperature", 0) >= 0
    ]


def refers_to_a_store(item: dict[str, Any]) -> bool:
    """A reference, or reasoning of which only the id is left."""
    held = item.get("encrypted_content") or item.get("content")
    return item.get("type") == "item_reference" or (item.get("type") == "reasoning" and not held)


def stateless(request: dict[str, Any]) -> dict[str, Any]:
    """The request as a client of ours would send it."""
    out = {"model": "author/model"} | {name: value for name, value in request.items() if name not in STATE}
    if isinstance(out.get("input"), list):
        out["input"] = [item for item in out["input"] if not refers_to_a_store(item)]
    return out


def by_name(items: list[Exchange]) -> Any:
    return pytest.mark.parametrize("exchange", items, ids=[item.name for item in items])


def told(value: Any) -> Any:
    """A canonical value as plain data: raw members as what they say."""
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value) or b"null")
    if isinstance(value, msgspec.Struct):
        return {"": type(value).__name__} | {name: told(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: told(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [told(inner) for inner in value]
    return type(value).__name__ if isinstance(value, Exception) else value


def seen(response: Response) -> dict[str, Any]:
    """What an answer says, whoever tells it: parts, how it ended, usage."""
    choice = response.choices[0] if response.choices else None
    return {
        "parts": told(choice.parts) if choice else [],
        "reason": choice.reason if choice else None,
        "raw_reason": choice.raw_reason if choice else "",
        "logprobs": [entry for piece in (choice.logprobs if choice else ()) for entry in told(piece)],
        "usage": response.usage.leaves if response.usage else None,
        "complete": response.complete,
    }


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The JSON events of a stream of ours; each names itself twice, and the end mark stands last."""
    out = []
    blocks = [block for block in stream.split(b"\n\n") if block]
    for block in blocks:
        if block == b"data: [DONE]":
            assert block is blocks[-1]
            continue
        name, data = block.split(b"\n")
        event = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        out.append(event)
    return out


def ended(stream: bytes) -> dict[str, Any]:
    """The response object in the last event of a vendor's stream."""
    found = [
        json.loads(line[5:])
        for line in stream.decode().split("\n")
        if line.startswith("data:") and line[5:].strip() != "[DONE]"
    ]
    response = [event["response"] for event in found if event["type"] in ("response.completed", "response.incomplete")][
        -1
    ]
    assert isinstance(response, dict)
    return response


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def normal_request(request: dict[str, Any]) -> dict[str, Any]:
    """A request modulo the written list (NOTES.md)."""
    body: dict[str, Any] = without_nulls(json.loads(json.dumps(request)))
    for name in (*STATE, "stream", "model", "stream_options", "include", "provider"):
        body.pop(name, None)
    if isinstance(body.get("input"), str):
        body["input"] = [{"role": "user", "content": body["input"]}]
    items = body.get("input") or []
    for item in items:
        _normal_item(item)
    if (
        items
        and items[0].get("role") == "system"
        and "instructions" not in body
        and isinstance(items[0]["content"], str)
    ):
        body["instructions"] = items.pop(0)["content"]
    for tool in body.get("tools") or []:
        if tool["type"] == "function":
            tool.setdefault("strict", False)
            if tool.get("description") == "":
                del tool["description"]
    return body


def _normal_item(item: dict[str, Any]) -> None:
    item.setdefault("type", "message")
    if item["type"] == "reasoning":
        if not item.get("content"):
            item.pop("content", None)
        return
    for name in ("content", "output"):
        parts = item.get(name)
        if not isinstance(parts, list):
            continue
        for part in parts:
            for empty in ("annotations", "logprobs"):
                if part.get(empty) == []:
                    del part[empty]
        if len(parts) == 1 and set(parts[0]) == {"type", "text"}:
            item[name] = parts[0]["text"]


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def normal_answer(body: bytes) -> dict[str, Any]:
    """A response object modulo the written list."""
    answer: dict[str, Any] = without_nulls(json.loads(body))
    for name in ("completed_at", "output_text", "created_at", "metadata", "parallel_tool_calls", "store"):
        answer.pop(name, None)
    for name, value in (
        ("reasoning", {}),
        ("text", {"format": {"type": "text"}}),
        ("truncation", "disabled"),
        ("tools", []),
        ("tool_choice", "auto"),
    ):
        if answer.get(name, value) == value:
            answer.pop(name, None)
    if answer.get("service_tier") not in ("auto", "default", "fast", "flex", "priority", "scale", "ultrafast"):
        answer.pop("service_tier", None)
    answer["output"] = [item for item in answer["output"] if not _holds_nothing(item)]
    for item in answer["output"]:
        _normal_output(item)
    return answer


def _holds_nothing(item: dict[str, Any]) -> bool:
    held = ("summary", "content", "encrypted_content")
    return item["type"] == "reasoning" and not any(item.get(name) for name in held)


def _normal_output(item: dict[str, Any]) -> None:
    if item["type"] in ("message", "reasoning", "function_call", "custom_tool_call"):
        item.pop("status", None)
    if item["type"] == "reasoning" and not item.get("content"):
        item.pop("content", None)
    if item["type"] != "message":
        return
    for part in item["content"]:
        if part["type"] != "output_text":
            continue
        part.setdefault("annotations", [])
        part.setdefault("logprobs", [])
        for note in part["annotations"]:
            if note["type"] == "url_citation":
                note.setdefault("start_index", 0)
                note.setdefault("end_index", 0)
