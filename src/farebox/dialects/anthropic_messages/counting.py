"""Counting of input tokens (`POST …/messages/count_tokens`): the request read and forwarded, the answer written. Refuses to
count: a vendor or an estimate of the house does.
"""

import msgspec

from farebox.dialects.anthropic_messages.decoding import HOUSE
from farebox.dialects.anthropic_messages.host import close, path
from farebox.dialects.anthropic_messages.opening import CountHead, open_messages
from farebox.dialects.anthropic_messages.stream_decoding import BLANK
from farebox.dialects.ports import Opened, Target
from farebox.ir.errors import Garbled

# Members of a generation that counting does not take (refused as extra inputs, 2026-11).
_NOT_COUNTED = HOUSE | {
    "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier", "container",
}  # fmt: skip


class Counted(msgspec.Struct):
    input_tokens: int


_counted = msgspec.json.Decoder(Counted).decode


def open_count(body: bytes) -> Opened:
    """The opened request; `max_tokens` is not needed here. Raises `InvalidRequest`."""
    return open_messages(body, CountHead)


def count_path(target: Target) -> str:
    """The path below the base URL."""
    return path(target, stream=False) + "/count_tokens"


def count_request(opened: Opened, target: Target) -> bytes:
    """The body for a vendor of this dialect."""
    fields = {name: raw for name, raw in opened.fields.items() if name not in _NOT_COUNTED}
    return close(fields, target, stream=False)[0]


def read_count(body: bytes) -> int:
    """The count of a vendor's answer. Raises `Garbled`."""
    try:
        count = _counted(body.strip(BLANK)).input_tokens
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Garbled(metadata={"what": "count"}) from None
    if count < 0:
        raise Garbled(metadata={"what": "count"})
    return count


def write_count(input_tokens: int) -> bytes:
    """The answer."""
    return b'{"input_tokens":%d}' % input_tokens


def estimate(opened: Opened) -> int:
    """A count where no vendor counts: four bytes of what the model reads make a token, at least one."""
    read = sum(len(bytes(opened.fields[name])) for name in ("messages", "system", "tools") if name in opened.fields)
    return max(1, -(-read // 4))
