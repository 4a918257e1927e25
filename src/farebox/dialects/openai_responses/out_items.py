"""The items of an answer as they are written to a client's stream, each with its parts, ids and closing events.
Refuses to know canonical events; `stream_encoding` says what begins, grows and ends.
"""

from typing import Any

from msgspec import Raw

from farebox.dialects.openai_responses.items_out import annotation, reasoning_item
from farebox.dialects.openai_responses.words import FORMAT, NAME, encode, join, members_of, raws_of, text_of
from farebox.ir.request import Citation, Reasoning, Seal, ToolCall

Event = tuple[str, bytes]


class OutPart:
    """A content part, summary or the arguments of a call, as it grows. `tail` are the members around a delta."""

    __slots__ = (
        "citations",
        "ended",
        "item",
        "kind",
        "logprobs",
        "number",
        "payload",
        "reasoning",
        "seal",
        "tail",
        "texts",
    )

    def __init__(self, item: "OutItem", kind: str, number: int) -> None:
        self.item = item
        self.kind = kind
        self.number = number
        self.texts: list[str] = []
        self.citations: list[Citation] = []
        self.logprobs: list[Raw] = []
        self.seal: Seal | None = None
        self.reasoning: Reasoning | None = None
        self.payload = Raw(b"{}")
        self.ended = False
        place = b'"item_id":%b,"output_index":%d' % (encode(item.id), item.index)
        counter = {"call": b"", "custom": b"", "summary": b',"summary_index":%d' % number}
        self.tail = place + counter.get(kind, b',"content_index":%d' % number)

    def text(self) -> str:
        return "".join(self.texts)

    def content(self) -> dict[str, Any] | Raw:
        """The part as it stands in its item."""
        if self.kind == "opaque":
            return self.payload
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": self.text()}
        if self.kind == "reasoning":
            return {"type": "reasoning_text", "text": self.text()}
        if self.kind == "summary":
            return {"type": "summary_text", "text": self.text()}
        notes = [annotation(citation) for citation in self.citations]
        entries = [entry for piece in self.logprobs for entry in raws_of(piece)]
        return {"type": "output_text", "text": self.text(), "annotations": notes, "logprobs": entries}

    def begin(self) -> list[Event]:
        if self.kind in ("call", "custom"):
            return []
        if self.kind == "summary":
            return [("response.reasoning_summary_part.added", self.tail + b',"part":{"type":"summary_text","text":""}')]
        return [("response.content_part.added", self.tail + b',"part":' + encode(self.content()))]

    def end(self) -> list[Event]:
        if self.ended:
            return []
        self.ended = True
        text, tail = encode(self.text()), self.tail
        if self.kind == "call":
            return [("response.function_call_arguments.done", tail + b',"arguments":' + text)]
        if self.kind == "custom":
            return [("response.custom_tool_call_input.done", tail + b',"input":' + text)]
        part = tail + b',"part":' + encode(self.content())
        if self.kind == "opaque":
            return [("response.content_part.done", part)]
        if self.kind == "summary":
            return [
                ("response.reasoning_summary_text.done", tail + b',"text":' + text),
                ("response.reasoning_summary_part.done", part),
            ]
        if self.kind == "refusal":
            return [("response.refusal.done", tail + b',"refusal":' + text), ("response.content_part.done", part)]
        if self.kind == "reasoning":
            return [("response.reasoning_text.done", tail + b',"text":' + text), ("response.content_part.done", part)]
        logprobs = encode([entry for piece in self.logprobs for entry in raws_of(piece)])
        return [
            ("response.output_text.done", tail + b',"text":' + text + b',"logprobs":' + logprobs),
            ("response.content_part.done", part),
        ]


class OutItem:
    """An output item: `key` tells which parts belong to it."""

    __slots__ = ("call", "closed", "id", "index", "key", "kind", "meta", "parts", "written")

    def __init__(self, kind: str, index: int, item_id: str, meta: dict[str, Raw], key: bytes) -> None:
        self.kind = kind
        self.index = index
        self.id = text_of(meta.get("id")) or item_id
        self.meta = {name: raw for name, raw in meta.items() if name != "id"}
        self.key = key
        self.parts: list[OutPart] = []
        self.call: ToolCall | None = None
        self.closed = False
        self.written = b""

    def add(self, kind: str) -> OutPart:
        number = sum(part.kind == kind for part in self.parts) if kind in ("summary", "reasoning") else len(self.parts)
        part = OutPart(self, kind, number)
        self.parts.append(part)
        return part

    @property
    def sealed(self) -> bool:
        return any(part.seal is not None for part in self.parts)

    def begin(self) -> Event:
        return ("response.output_item.added", b'"output_index":%d,"item":%b' % (self.index, self.json("in_progress")))

    def end(self) -> list[Event]:
        """Closes what is open in it, and the item."""
        events = [event for part in self.parts for event in part.end()]
        self.closed = True
        self.written = self.json("completed")
        return [*events, ("response.output_item.done", b'"output_index":%d,"item":%b' % (self.index, self.written))]

    def json(self, status: str) -> bytes:
        """The item as it stands; one that only began has no content."""
        begun = status == "in_progress"
        word = encode(status)
        if self.kind == "reasoning":
            return self._reasoning(begun=begun)
        if self.call is not None:
            custom = self.call.form == "custom"
            text = "" if begun or not self.parts else self.parts[0].text()
            return join(
                {
                    "id": encode(self.id),
                    "type": b'"custom_tool_call"' if custom else b'"function_call"',
                    "status": word,
                    "call_id": encode(self.call.call_id),
                    "name": encode(self.call.name),
                    "input" if custom else "arguments": encode(text),
                    **self.meta,
                }
            )
        content = [] if begun else [part.content() for part in self.parts]
        return join(
            {
                "id": encode(self.id),
                "type": b'"message"',
                "status": word,
                "role": b'"assistant"',
                "content": encode(content),
                **self.meta,
            }
        )

    def _reasoning(self, *, begun: bool) -> bytes:
        if begun:
            return join({"id": encode(self.id), "type": b'"reasoning"', "summary": b"[]", **self.meta})
        parts = [
            Reasoning(
                text=part.text() if part.kind == "reasoning" else "",
                summary=part.text() if part.kind == "summary" else "",
                seal=part.seal,
                origin=part.reasoning.origin if part.reasoning is not None else None,
                extras={NAME: {"item": Raw(join(self.meta))}} if self.meta else {},
            )
            for part in self.parts
        ]
        return reasoning_item(parts, word=FORMAT, item_id=self.id)


def meta_of(extras: dict[str, Raw], *, call: bool = False) -> tuple[dict[str, Raw], bytes]:
    """The item's own members that a part carries, and the key that its parts share."""
    if call:
        return extras, b""
    item = extras.get("item")
    return (members_of(item), bytes(item)) if item is not None else ({}, b"")
