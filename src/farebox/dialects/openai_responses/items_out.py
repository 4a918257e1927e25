"""Canonical parts written as items of the protocol: of a request's input, or of an answer's output.
Refuses to send a seal to another house: what does not fit the target is dropped with a warning.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Raw, structs

from farebox.dialects.openai_responses.words import NAME, encode, join, members_of, text_of
from farebox.ir.events import Warning
from farebox.ir.request import (
    AnyPart,
    CacheMark,
    Citation,
    Extras,
    FileId,
    Inline,
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Role,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Url,
)

Fields = dict[str, Any]
SEAL_DROPPED = "seal_dropped"
_UNSEALED = "Earlier reasoning was not sent: this provider takes back only its own, sealed."
_MEANINGLESS = frozenset(("id", "index", "status", "item", "annotations"))  # places and ids: nothing is lost with them


class ItemWriter:
    """Writes messages as input items for one target, and gathers what was lost."""

    def __init__(self, format_word: str, options: frozenset[str], replay: str) -> None:
        self.warnings: list[Warning] = []
        self.sealed = False
        self._format = format_word
        self._options = options
        self._replay = replay
        self._forms: dict[str, str] = {}
        self._open_calls: list[str] = []

    def lost(self, path: str, what: str) -> None:
        self.warnings.append(Warning("unsupported", path, f"{what} cannot be said in this dialect."))

    def own(self, extras: Extras, path: str) -> dict[str, Raw]:
        for dialect, fields in extras.items():
            if dialect != NAME:
                for name in fields.keys() - _MEANINGLESS:
                    self.lost(path, f"'{name}' of {dialect}")
        return dict(extras.get(NAME, {}))

    def message(self, message: Message, path: str) -> list[bytes]:
        """The items of one message, in the order of its parts."""
        self.own({dialect: extras for dialect, extras in message.extras.items() if dialect != NAME}, path)
        if message.name and message.role is not Role.TOOL:
            self.lost(f"{path}.name", "A name")
        items: list[bytes] = []
        parts = list(message.parts)
        at = 0
        while at < len(parts):
            end = at + 1
            part = parts[at]
            if isinstance(part, Reasoning):
                end = _run_of_reasoning(parts, at)
                items += self._reasoning([p for p in parts[at:end] if isinstance(p, Reasoning)], path)
            elif isinstance(part, ToolCall):
                items += self._reasoning([sealed_before(part)], path) if part.seal is not None else []
                items.append(self._call(part, path))
            elif isinstance(part, ToolResult):
                items.append(self._result(part, path))
            elif is_item(part):
                items += self._whole_item(part, path)
            else:
                end = _run_of_content(parts, at)
                items += self._content_item(parts[at:end], message.role, path)
            at = end
        if not parts:
            items.append(join({"type": b'"message"', "role": encode(message.role.value), "content": b'""'}))
        return items

    def _whole_item(self, part: AnyPart, path: str) -> list[bytes]:
        if isinstance(part, Opaque):
            return [bytes(part.payload)]
        if isinstance(part, Media) and isinstance(part.source, Inline):
            return [image_item(part)]
        self.lost(path, "A part")
        return []

    def _content_item(self, parts: list[AnyPart], role: Role, path: str) -> list[bytes]:
        item = parts[0].extras.get(NAME, {}).get("item")
        meta = members_of(item) if item is not None else {}
        role = Role.USER if role is Role.TOOL else role
        fields: dict[str, bytes | Raw] = {"type": b'"message"', "role": encode(role.value)}
        first = parts[0]
        if (
            len(parts) == 1
            and type(first) is Text
            and not first.citations
            and first.cache is None
            and not set(first.extras) - {NAME}
            and not set(first.extras.get(NAME, {})) - {"item"}
        ):
            return [join({**fields, "content": encode(first.text), **meta})]
        written = [self._part(part, path, answer=role is Role.ASSISTANT) for part in parts]
        content = [part for part in written if part is not None]
        return [join({**fields, "content": encode(content), **meta})] if content else []

    def _part(self, part: AnyPart, path: str, *, answer: bool) -> Fields | Raw | None:
        rest = self.own(part.extras, path)
        rest.pop("item", None)
        if isinstance(part, Text):
            out: Fields = {"type": "output_text" if answer else "input_text", "text": part.text}
            if part.citations:
                out["annotations"] = [annotation(citation) for citation in part.citations]
            return out | self.cache(part.cache, path) | rest
        if isinstance(part, Refusal):
            return {"type": "refusal", "refusal": part.text} | rest
        if isinstance(part, Media) and not answer:
            return media_part(part) | self.cache(part.cache, path) | rest
        if isinstance(part, Opaque) and part.origin is not None and part.origin.dialect == NAME:
            return part.payload
        self.lost(path, "A part")
        return None

    def cache(self, mark: CacheMark | None, path: str) -> Fields:
        if mark is None:
            return {}
        if "cache_control" not in self._options:
            self.warnings.append(
                Warning("cache_mark_dropped", path, "This provider caches by itself; the mark was not sent.")
            )
            return {}
        return {"cache_control": {"type": "ephemeral"} | ({"ttl": mark.ttl} if mark.ttl != "5m" else {})}

    def _call(self, call: ToolCall, path: str) -> bytes:
        if call.executor != "client":
            self.lost(path, "That the vendor ran a tool")
        rest = self.own(call.extras, path)
        call_id = call.call_id or f"call_{len(self._forms)}"
        self._forms[call_id] = call.form
        self._open_calls.append(call_id)
        custom = call.form == "custom"
        fields: dict[str, bytes | Raw] = {
            "type": b'"custom_tool_call"' if custom else b'"function_call"',
            "call_id": encode(call_id),
            "name": encode(call.name),
            "input" if custom else "arguments": encode(call.arguments if custom else call.arguments or "{}"),
        }
        return join({**fields, **rest})

    def _result(self, result: ToolResult, path: str) -> bytes:
        rest = self.own(result.extras, path)
        if result.failed:
            self.lost(path, "That a tool failed")
        call_id = self._answered(result.call_id)
        custom = self._forms.get(call_id) == "custom"
        kind = rest.pop("type", b'"custom_tool_call_output"' if custom else b'"function_call_output"')
        return join({"type": kind, "call_id": encode(call_id), "output": encode(self._output(result, path)), **rest})

    def _answered(self, call_id: str) -> str:
        """The call that a result answers; one without an id answers the first that still waits."""
        if not call_id and self._open_calls:
            return self._open_calls.pop(0)
        if call_id in self._open_calls:
            self._open_calls.remove(call_id)
        return call_id

    def _output(self, result: ToolResult, path: str) -> Any:
        if all(type(part) is Text and not part.extras and part.cache is None for part in result.parts):
            return "\n".join(part.text for part in result.parts if isinstance(part, Text))
        written = [self._part(part, path, answer=False) for part in result.parts]
        return [part for part in written if part is not None]

    def _reasoning(self, parts: list[Reasoning], path: str) -> list[bytes]:
        """One reasoning item. Without a seal of this house only its own text goes back."""
        sealed = [part for part in parts if part.seal is not None]
        foreign = [part for part in sealed if self._is_foreign(part)]
        word = self._format if "mixed_seals" in self._options else ""
        ours = all(part.origin is not None and part.origin.dialect == NAME for part in parts)
        if foreign:
            self.warnings.append(Warning(SEAL_DROPPED, path, "Sealed reasoning of another house was not sent."))
            sealed = []
        bare = ours and not sealed and not any(part.text for part in parts)
        unwanted = not sealed and (bare or foreign or not ours) and self._replay != "required"
        if self._replay == "never" or unwanted:
            if not foreign:
                self.warnings.append(Warning("reasoning_dropped", path, _UNSEALED))
            return []
        for part in parts:
            self.own(part.extras, path) if not foreign else None
        self.sealed = self.sealed or bool(sealed)
        return [reasoning_item(parts if ours else _merged(parts), seals=not foreign, word=word)]

    def _is_foreign(self, part: Reasoning) -> bool:
        if "mixed_seals" in self._options:
            return False
        return part.origin is None or part.origin.format != self._format


def sealed_before(call: ToolCall) -> Reasoning:
    """The seal of a call as the reasoning item before it: there it survives clients that keep only what they know."""
    seal = call.seal
    assert seal is not None
    return Reasoning(seal=Seal(seal.form, seal.data, seal.item_id or call.call_id), origin=call.origin)


def _merged(parts: list[Reasoning]) -> list[Reasoning]:
    """Pieces that a chat client kept apart as they streamed: one summary and one text, then the seals."""
    summary, text = "".join(part.summary for part in parts), "".join(part.text for part in parts)
    out = [Reasoning(summary=summary)] if summary else []
    out += [Reasoning(text=text)] if text else []
    return out + [structs.replace(part, summary="", text="") for part in parts if part.seal is not None]


def is_item(part: AnyPart) -> bool:
    """Whether the part is an item of its own in the protocol."""
    if isinstance(part, Opaque):
        found = members_of(part.payload) if part.origin is not None and part.origin.dialect == NAME else {}
        return bool(found) and not text_of(found.get("type")).startswith(("input_", "output_"))
    return isinstance(part, Media) and "type" in part.extras.get(NAME, {})


def _run_of_content(parts: list[AnyPart], at: int) -> int:
    """Where the content of one message item ends."""
    key = _item_of(parts[at])
    end = at + 1
    while (
        end < len(parts)
        and isinstance(parts[end], Text | Refusal | Media | Opaque)
        and not is_item(parts[end])
        and _item_of(parts[end]) == key
    ):
        end += 1
    return end


def _item_of(part: AnyPart) -> bytes:
    item = part.extras.get(NAME, {}).get("item")
    return bytes(item) if item is not None else b""


def reasoning_key(part: Reasoning) -> str:
    """The id of the item a reasoning part belongs to, empty if it is not told."""
    if part.seal is not None:
        return part.seal.item_id
    item = part.extras.get(NAME, {}).get("item")
    return text_of(members_of(item).get("id")) if item is not None else ""


def _run_of_reasoning(parts: list[AnyPart], at: int) -> int:
    """Where one reasoning item ends: after its seal, or before a part of another item."""
    key, end = "", at
    while end < len(parts):
        part = parts[end]
        if not isinstance(part, Reasoning):
            break
        own = reasoning_key(part)
        if key and own and own != key:
            break
        key = key or own
        end += 1
        if part.seal is not None:
            break
    return end


def reasoning_item(parts: Iterable[Reasoning], *, seals: bool = True, word: str = "", item_id: str = "") -> bytes:
    """The item of these parts. The format is named where it is not `word`; `item_id` is the id if the item was announced."""
    fields: dict[str, bytes | Raw] = {"type": b'"reasoning"'}
    summary, content, key = [], [], ""
    sealed: dict[str, bytes | Raw] = {}
    for part in parts:
        if part.summary:
            summary.append({"type": "summary_text", "text": part.summary})
        if part.text:
            content.append({"type": "reasoning_text", "text": part.text})
        key = key or reasoning_key(part)
        item = part.extras.get(NAME, {}).get("item")
        if item is not None:
            fields.update({name: raw for name, raw in members_of(item).items() if name != "id"})
        if part.seal is not None and seals:
            sealed["signature" if part.seal.form == "signature" else "encrypted_content"] = encode(part.seal.data)
        if word and part.origin is not None and part.origin.format and part.origin.format != word:
            sealed["format"] = encode(part.origin.format)
    if item_id or (key and seals):
        fields["id"] = encode(item_id or key)
    fields["summary"] = encode(summary)
    if content:
        fields["content"] = encode(content)
    return join({**fields, **sealed})


def annotation(citation: Citation) -> Fields:
    """A citation as an annotation."""
    rest = citation.extras.get(NAME, {})
    if not citation.url and "type" in rest:
        return dict(rest)
    out: Fields = {"type": "url_citation", "url": citation.url, "title": citation.title}
    out["start_index"] = citation.start if citation.start is not None else 0
    out["end_index"] = citation.end if citation.end is not None else 0
    return out | dict(rest)


def address(part: Media) -> str:
    if isinstance(part.source, Inline):
        return f"data:{part.media_type or 'application/octet-stream'};base64,{part.source.data}"
    return part.source.url if isinstance(part.source, Url) else part.source.file_id


def media_part(part: Media) -> Fields:
    """A media part of the input."""
    if part.family == "image":
        named = {"file_id": part.source.file_id} if isinstance(part.source, FileId) else {"image_url": address(part)}
        return {"type": "input_image", **named} | ({"detail": part.detail} if part.detail else {})
    if part.family == "audio":
        data = part.source.data if isinstance(part.source, Inline) else address(part)
        return {"type": "input_audio", "input_audio": {"data": data, "format": part.media_type.rpartition("/")[2]}}
    if part.family == "video":
        return {"type": "input_video", "video_url": address(part)}
    name = {"filename": part.filename} if part.filename else {}
    if isinstance(part.source, FileId):
        return {"type": "input_file", "file_id": part.source.file_id} | name
    if isinstance(part.source, Url):
        return {"type": "input_file", "file_url": part.source.url} | name
    data = address(part) if part.media_type else part.source.data
    return {"type": "input_file", "file_data": data} | (
        {"filename": part.filename or "file"} if part.media_type else name
    )


def image_item(part: Media, item_id: str = "") -> bytes:
    """A made image as the item of the tool that makes images."""
    own = part.extras.get(NAME, {})
    data = part.source.data if isinstance(part.source, Inline) else address(part)
    fields: dict[str, bytes | Raw] = {"type": b'"image_generation_call"'}
    if item_id and "id" not in own:
        fields.update({"id": encode(item_id), "status": b'"completed"'})
    form = part.media_type.rpartition("/")[2]
    if form and "output_format" not in own:
        fields["output_format"] = encode(form)
    return join({**fields, **own, "result": encode(data)})
