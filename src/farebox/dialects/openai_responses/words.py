"""Names and words of the Responses protocol that several modules share, and how JSON pieces are put together.
Refuses meaning: what a word implies is said where it is used.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.ports import Target
from farebox.ir.events import FinishReason

NAME = "openai_responses"
FORMAT = "openai-responses-v1"
ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
DROPPED = "parameter_dropped"

encode = msgspec.json.encode
value_of = msgspec.json.Decoder().decode
members_of = msgspec.json.Decoder(dict[str, Raw]).decode
raws_of = msgspec.json.Decoder(list[Raw]).decode
objects_of = msgspec.json.Decoder(list[dict[str, Raw]]).decode

CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
RESULTS = {"function_call_output": "function", "custom_tool_call_output": "custom"}
SEARCH_ITEM = "web_search_call"
IMAGE_ITEM = "image_generation_call"

# Members that concern this house alone: never sent to a vendor, never warned about.
OWN = frozenset(
    (
        "model", "models", "provider", "route", "plugins", "transforms", "preset", "session_id", "trace", "debug", "usage",
        "stop_server_tools_when", "deferred_tools", "image_config", "store", "previous_response_id", "background", "stream",
        "conversation",
    )
)  # fmt: skip


def given(raw: Raw | bytes | None) -> bytes:
    """The bytes of a member, empty if it is absent or null."""
    if raw is None:
        return b""
    data = bytes(raw)
    return b"" if data == b"null" else data


def join(fields: Mapping[str, bytes | Raw]) -> bytes:
    """A JSON object of ready members."""
    return b"{" + b",".join([b"%b:%b" % (encode(name), bytes(raw)) for name, raw in fields.items()]) + b"}"


def made_id(prefix: str, answer_id: str, number: int) -> str:
    """An id for an item that its vendor gave none, fit to be recognised when it comes back."""
    return f"{prefix}_made_{answer_id.removeprefix('gen-')}_{number}"


def is_made(item_id: str) -> bool:
    """Whether an id was made here: it means nothing to any vendor."""
    return "_made_" in item_id[:11]


def one_line(data: bytes) -> bytes:
    """JSON fit for a data line: line breaks can stand between its tokens only."""
    if b"\n" in data or b"\r" in data:
        return data.replace(b"\r", b" ").replace(b"\n", b" ")
    return data


def text_of(raw: Raw | bytes | None) -> str:
    """A member that should be text; anything else is empty."""
    data = given(raw)
    return str(value_of(data)) if data[:1] == b'"' else ""


def format_of(target: Target) -> str:
    """The format word of this vendor's sealed reasoning (`settings.reasoning_format`)."""
    return target.settings.get("reasoning_format", FORMAT)


def reason_of(status: str, detail: str, calls: int) -> FinishReason:
    """The common finish reason of a response's status and `incomplete_details.reason`."""
    if status == "incomplete":
        return FinishReason.CONTENT_FILTER if detail == "content_filter" else FinishReason.LENGTH
    return FinishReason.TOOL_CALLS if calls else FinishReason.STOP


def status_of(reason: FinishReason | None) -> tuple[str, dict[str, Any] | None]:
    """The response's status and `incomplete_details` for a finish reason."""
    if reason is FinishReason.LENGTH:
        return "incomplete", {"reason": "max_output_tokens"}
    if reason is FinishReason.CONTENT_FILTER:
        return "incomplete", {"reason": "content_filter"}
    return "completed", None
