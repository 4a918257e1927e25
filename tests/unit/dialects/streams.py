"""Owns hand-made vendor streams for the tests of the relay; refuses recorded ones (see `traffic`)."""

import json
from typing import Any

from farebox.dialects.openai_chat.relay_stream import ChatRelayStream
from farebox.dialects.ports import Envelope, Target
from farebox.money.charges import Charge
from unit.dialects.traffic import chunks

CHARGE = Charge(vendor_nano=1000, toll_nano=50, total_nano=1050, prompt_nano=400, completion_nano=600)
DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def envelope(**members: Any) -> Envelope:
    return Envelope(**({"id": "gen-1", "model": "a/b", "provider": "P", "created_s": 5} | members))


def relay(*, target: Target | None = None, **members: Any) -> ChatRelayStream:
    return ChatRelayStream(
        envelope(**members), target or Target(model="m", vendor="v", reasoning_field="reasoning_content")
    )


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **members: Any) -> bytes:
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": choices} | members
    return b"data: " + json.dumps(chunk, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def said(text: str) -> bytes:
    return event({"content": text})


END = event(finish="stop") + event(choices=[], usage=USAGE) + DONE


def broken(*pieces: bytes) -> tuple[ChatRelayStream, bytes]:
    stream = relay()
    out = b"".join([stream.feed(piece) for piece in pieces]) + stream.close()
    return stream, out


def texts(out: bytes) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks(out) for choice in chunk["choices"])
