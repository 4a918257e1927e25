"""Parts, usage, reasons and errors written for clients of this protocol. Refuses to price: the charge comes from outside."""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse import media
from farebox.dialects.bedrock_converse.seals import sealed, signature, word_of
from farebox.dialects.bedrock_converse.words import FORMATS, NAME, STOPS
from farebox.ir.errors import AttemptError, FareboxError
from farebox.ir.events import ChoiceEnded, FinishReason
from farebox.ir.request import AnyPart, Citation, Inline, Media, Opaque, Reasoning, Refusal, Text, ToolCall
from farebox.ir.usage import NOTHING, Unit, Usage
from farebox.money.charges import Charge, usd_text

_value = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_WORDS = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "content_filtered",
    FinishReason.ERROR: "malformed_model_output",
}
# The exception of each status, as its libraries know them; in streams they begin with a small letter.
_EXCEPTIONS = {
    401: "UnrecognizedClientException",
    402: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}
_IN_STREAMS = ("validationException", "throttlingException", "internalServerException", "serviceUnavailableException")


def stop_word(ended: ChoiceEnded | None) -> str:
    """The reason in this protocol's words; its own word stays."""
    if ended is None:
        return "end_turn"
    if STOPS.get(ended.raw_reason) is ended.reason:
        return ended.raw_reason
    if ended.reason is FinishReason.STOP and ended.stop_sequence is not None:
        return "stop_sequence"
    return _WORDS[ended.reason]


def usage_fields(usage: Usage | None, charge: Charge) -> dict[str, Any]:
    """The usage object; input tokens exclude the cache. `cost` is ours, in USD."""
    leaves = (usage or NOTHING).leaves
    hour, short = leaves.get(Unit.INPUT_CACHE_WRITE_1H.value, 0), leaves.get(Unit.INPUT_CACHE_WRITE_5M.value, 0)
    read, written = leaves.get(Unit.INPUT_CACHE_READ.value, 0), hour + short
    written += leaves.get(Unit.INPUT_CACHE_WRITE_12H.value, 0)
    prompt, completion = (usage or NOTHING).prompt_tokens(), (usage or NOTHING).completion_tokens()
    out: dict[str, Any] = {
        "inputTokens": prompt - read - written,
        "outputTokens": completion,
        "totalTokens": prompt + completion,
        "cacheReadInputTokens": read,
        "cacheWriteInputTokens": written,
    }
    if hour:
        details = [("1h", hour), ("5m", short)]
        out["cacheDetails"] = [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in details if tokens]
    out["cost"] = Raw(usd_text(charge.total_nano).encode())
    return out


def exception(error: FareboxError) -> tuple[str, dict[str, Any]]:
    """The exception's type, and its body: the message, our stable word, what else is known."""
    kind = _EXCEPTIONS.get(error.status, "ValidationException" if error.status < 500 else "InternalServerException")
    metadata: dict[str, Any] = dict(error.metadata)
    if isinstance(error, AttemptError) and error.vendor_status is not None:
        metadata["provider_code"] = error.vendor_status
    if error.path:
        metadata["path"] = error.path
    more = {"metadata": metadata} if metadata else {}
    return kind, {"message": error.message, "error_type": error.code} | more


def error_body(error: FareboxError, request_id: str) -> bytes:
    """The whole body of an error answer; `__type` says its kind to libraries that find no header."""
    kind, fields = exception(error)
    rest = {"request_id": request_id} if request_id else {}
    return msgspec.json.encode({"__type": kind} | fields | rest)


def in_stream(error: FareboxError) -> tuple[str, dict[str, Any]]:
    """The same for a frame inside a stream, where fewer types are known."""
    kind, fields = exception(error)
    camel = kind[0].lower() + kind[1:]
    return camel if camel in _IN_STREAMS else "modelStreamErrorException", fields


def citation_fields(citation: Citation) -> dict[str, Any]:
    """A citation as an entry of a block, and as a delta."""
    kept = dict(citation.extras.get(NAME, {}))
    out: dict[str, Any] = {}
    if citation.title:
        out["title"] = citation.title
    if citation.url and "source" not in kept:
        out["source"] = citation.url
    if citation.quote:
        out["sourceContent"] = [{"text": citation.quote}]
    if citation.url and "location" not in kept:
        out["location"] = {"web": {"url": citation.url}}
    return out | kept


def format_word(part: Media) -> str:
    formats = FORMATS.get(part.family, {})
    return formats.get(part.media_type, part.media_type.rpartition("/")[2] or "png")


def blocks(part: AnyPart) -> list[Any]:
    """A whole part as blocks; what this protocol cannot show is left out."""
    if isinstance(part, Text | Refusal):
        return _text_blocks(part)
    if isinstance(part, Reasoning):
        content = reasoning_content(part)
        return [{"reasoningContent": content}] if content else []
    if isinstance(part, ToolCall):
        use = {"toolUseId": part.call_id, "name": part.name, "input": arguments(part)}
        block = {"toolUse": use | dict(part.extras.get(NAME, {}))}
        if part.seal is None:
            return [block]
        return [{"reasoningContent": sealed(part.seal, word_of(part.origin), part.call_id)}, block]
    if isinstance(part, Opaque):
        return [part.payload] if part.origin is not None and part.origin.dialect == NAME else []
    if isinstance(part, Media) and part.family in ("image", "video", "file") and isinstance(part.source, Inline):
        return [media.block(part, dict(part.extras.get(NAME, {})), media.DocumentNames(), "$")]
    return []


def _text_blocks(part: Text | Refusal) -> list[Any]:
    if isinstance(part, Text) and part.citations:
        cited = {"content": [{"text": part.text}], "citations": [citation_fields(one) for one in part.citations]}
        return [{"citationsContent": cited}]
    return [{"text": part.text}] if part.text else []


def reasoning_content(part: Reasoning) -> dict[str, Any]:
    """The content of a reasoning block; empty if there is nothing to show."""
    text, seal = part.text or part.summary, part.seal
    if seal is not None and not text and seal.form != "signature":
        return sealed(seal, word_of(part.origin))
    if not text and seal is None:
        return {}
    inner: dict[str, Any] = {"text": text}
    if seal is not None:
        inner["signature"] = signature(seal, word_of(part.origin))
    return {"reasoningText": inner}


def arguments(part: ToolCall) -> Any:
    """Arguments as an object: the bytes they were, if they are one."""
    text = part.arguments.strip() or "{}"
    try:
        value = _value(text)
    except (msgspec.DecodeError, RecursionError):
        return {"input": part.arguments}
    return Raw(text.encode()) if isinstance(value, dict) else {"input": value}
