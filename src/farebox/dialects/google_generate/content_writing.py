"""Messages written as contents: two roles that alternate, results beside each other, each signature on its own part.
Refuses to send a seal of another house.
"""

from collections import deque
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.google_generate.media import blob_of
from farebox.dialects.google_generate.seals import STAND_IN, is_ours
from farebox.dialects.google_generate.words import FORMAT, NAME, family, is_invented
from farebox.dialects.ports import Target
from farebox.ir.events import Warning
from farebox.ir.request import (
    AnyPart,
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)

_encode = msgspec.json.encode
_raws = msgspec.json.Decoder(dict[str, Raw]).decode
_value = msgspec.json.Decoder().decode
Fields = dict[str, Any]
SIGNED_CALLS_SINCE = 3
MEDIA_RESULTS_SINCE = 3
_EMPTY = Raw(b"{}")


class ContentWriter:
    """Writes `contents` and `systemInstruction`; gathers what was lost."""

    def __init__(self, target: Target) -> None:
        self.warnings: list[Warning] = []
        self.marked = False
        self._target = target
        self._names: dict[str, str] = {}
        self._family = family(target.model)

    def _lost(self, path: str, what: str) -> None:
        self.warnings.append(Warning("unsupported", path, f"{what} cannot be said in this dialect."))

    def write(self, messages: tuple[Message, ...]) -> Fields:
        leading = 0
        while leading < len(messages) and messages[leading].role in (Role.SYSTEM, Role.DEVELOPER):
            leading += 1
        system = [
            fields
            for index, message in enumerate(messages[:leading])
            for fields in self._said(message.parts, f"$.messages[{index}]")
        ]
        contents: list[Fields] = []
        for index, message in enumerate(messages[leading:], leading):
            path = f"$.messages[{index}]"
            role = "model" if message.role is Role.ASSISTANT else "user"
            if message.role in (Role.SYSTEM, Role.DEVELOPER):
                self.warnings.append(
                    Warning("parameter_changed", path, "A later system message is sent as the user's.")
                )
            parts = self._answer(message, path) if role == "model" else self._said(message.parts, path)
            own = self._own(message.extras, path)
            if not parts:
                continue
            if contents and contents[-1]["role"] == role and not own:
                contents[-1]["parts"] += parts
            else:
                contents.append({"role": role, "parts": parts} | own)
        for content in contents:
            self._beside_media(content["parts"])
        if not contents:
            contents = [{"role": "user", "parts": [{"text": ""}]}]
        return {"contents": contents} | ({"systemInstruction": {"parts": system}} if system else {})

    def _beside_media(self, parts: list[Any]) -> None:
        if "text_beside_media" in self._target.options and all(
            isinstance(part, dict) and ("inlineData" in part or "fileData" in part) for part in parts
        ):
            parts.append({"text": " "})

    def _own(self, extras: dict[str, dict[str, Raw]], path: str) -> Fields:
        for dialect in extras:
            if dialect != NAME:
                self._lost(path, f"An extension of {dialect}")
        return dict(extras.get(NAME, {}))

    def _said(self, parts: tuple[AnyPart, ...], path: str) -> list[Any]:
        """Parts of anyone but the model. A signature may stand on one of them all the same."""
        out: list[Any] = []
        for part in parts:
            if isinstance(part, ToolResult):
                out += self._result(part, path)
            elif isinstance(part, Text) and not part.text and len(parts) > 1:
                continue
            else:
                written = self._plain(part, path)
                if written is not None:
                    out.append(written)
        return out

    def _plain(self, part: AnyPart, path: str) -> Any:
        self.marked = self.marked or part.cache is not None
        if isinstance(part, Text):
            return {"text": part.text} | self._own(part.extras, path)
        if isinstance(part, Media):
            if part.detail:
                self._lost(path, "The detail of an image")
            own = {name: raw for name, raw in self._own(part.extras, path).items() if name not in _BLOBS}
            return blob_of(part) | own
        if isinstance(part, Refusal):
            return {"text": part.text} if part.text else None
        if isinstance(part, Opaque) and part.origin is not None and part.origin.format == FORMAT:
            return part.payload
        self._lost(path, "A part")
        return None

    def _answer(self, message: Message, path: str) -> list[Any]:
        """Parts of the model: what seals say is put back on the parts they came from."""
        near, by_call = _sealed_calls(message.parts)
        waiting: deque[str] = deque()
        out: list[Any] = []
        called = False
        for position, part in enumerate(message.parts):
            if isinstance(part, Reasoning):
                self._thought(part, path, waiting, out)
            elif isinstance(part, ToolCall):
                signature = near.get(position) or by_call.pop(part.call_id, "")
                signature = signature or (waiting.popleft() if waiting else "")
                out.append(self._call(part, path, signature, first=not called))
                called = True
            elif isinstance(part, Text | Media):
                if isinstance(part, Text) and not part.text and not waiting:
                    continue
                written = self._plain(part, path)
                if waiting:
                    written["thoughtSignature"] = waiting.popleft()
                out.append(written)
            else:
                written = self._plain(part, path)
                if written is not None:
                    out.append(written)
        out += [{"text": "", "thoughtSignature": signature} for signature in waiting]
        if by_call:
            self.warnings.append(Warning("seal_dropped", path, "A signature belongs to a call that is not here."))
        return out

    def _thought(self, part: Reasoning, path: str, waiting: deque[str], out: list[Any]) -> None:
        if not is_ours(part):
            what = "seal_dropped" if part.seal is not None else "reasoning_dropped"
            self.warnings.append(Warning(what, path, "Reasoning of another model is not sent to this one."))
            return
        seal = part.seal
        if seal is not None and not part.text and seal.form == "encrypted":
            if not seal.item_id:
                waiting.append(seal.data)
            return
        if self._target.reasoning_replay == "never" and seal is None:
            return
        fields: Fields = {"text": part.text or part.summary, "thought": True} | self._own(
            {NAME: part.extras[NAME]} if NAME in part.extras else {}, path
        )
        if seal is not None:
            fields["thoughtSignature"] = seal.data
        out.append(fields)

    def _call(self, call: ToolCall, path: str, signature: str, *, first: bool) -> Fields:
        self._names[call.call_id] = call.name
        own = self._own(call.extras, path)
        inner: Fields = {"name": call.name, "args": self._arguments(call, path)}
        if call.call_id and not is_invented(call.call_id) and "no_call_ids" not in self._target.options:
            inner["id"] = call.call_id
        rest = own.pop("functionCall", None)
        out: Fields = {"functionCall": inner | (_raws(rest) if rest is not None else {})} | own
        if not signature and call.seal is not None and call.origin is not None and call.origin.format == FORMAT:
            signature = call.seal.data
        stands_in = first and self._family >= SIGNED_CALLS_SINCE
        if not signature and stands_in and "no_signature_stand_in" not in self._target.options:
            signature = STAND_IN
        if signature:
            out["thoughtSignature"] = signature
        return out

    def _arguments(self, call: ToolCall, path: str) -> Any:
        text = call.arguments.strip()
        if not text:
            return _EMPTY
        try:
            value = _value(text)
        except msgspec.DecodeError:
            value = None
        if isinstance(value, dict):
            return Raw(text.encode())
        self.warnings.append(Warning("parameter_changed", path, "Arguments that are no JSON object were wrapped."))
        return {"arguments": call.arguments if value is None else value}

    def _result(self, result: ToolResult, path: str) -> list[Any]:
        self.marked = self.marked or result.cache is not None
        own = self._own(result.extras, path)
        rest = own.pop("functionResponse", None)
        name = result.name or self._names.get(result.call_id, "") or result.call_id or "function"
        inner: Fields = {"name": name, "response": self._response(result)}
        if result.call_id and not is_invented(result.call_id) and "no_call_ids" not in self._target.options:
            inner["id"] = result.call_id
        media = [part for part in result.parts if not isinstance(part, Text)]
        written = [fields for part in media if (fields := self._plain(part, path)) is not None]
        beside: list[Any] = []
        if written:
            if self._family >= MEDIA_RESULTS_SINCE or self._family == 0:
                inner["parts"] = written
            else:
                beside = written
        return [{"functionResponse": inner | (_raws(rest) if rest is not None else {})} | own, *beside]

    def _response(self, result: ToolResult) -> Any:
        """An object: the text itself if it is one, else under the names that the vendor documents."""
        texts = [part for part in result.parts if isinstance(part, Text)]
        for part in texts:
            self.marked = self.marked or part.cache is not None
        text = "\n".join(part.text for part in texts)
        if text.lstrip()[:1] == "{":
            try:
                _raws(text)
                return Raw(text.strip().encode())
            except msgspec.DecodeError:
                pass
        if not text and not result.failed:
            return _EMPTY
        return {"error" if result.failed else "output": text}


def _sealed_calls(parts: tuple[AnyPart, ...]) -> tuple[dict[int, str], dict[str, str]]:
    """Signatures of calls: by position where they stand right before their call, else by the call's id."""
    near: dict[int, str] = {}
    far: dict[str, str] = {}
    for position, part in enumerate(parts):
        seal = part.seal if isinstance(part, Reasoning) and not part.text and is_ours(part) else None
        if seal is None or not seal.item_id:
            continue
        following = parts[position + 1] if position + 1 < len(parts) else None
        if isinstance(following, ToolCall) and following.call_id == seal.item_id:
            near[position + 1] = seal.data
        else:
            far[seal.item_id] = seal.data
    return near, far


_BLOBS = frozenset(("inlineData", "fileData"))
