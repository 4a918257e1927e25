"""What a vendor of legacy completions answers, made ours: the text stays a text. Refuses everything chat-like but reasoning."""

from msgspec import Raw

from farebox.dialects.openai_chat.answer import Answer, Fields, given


class CompletionAnswer(Answer):
    """See `openai_chat.answer.Answer`."""

    WHOLE_KIND = "text_completion"
    CHUNK_KIND = "text_completion"
    FAILED_CHOICE = b'{"index":0,"text":"","finish_reason":"error","native_finish_reason":null}'
    LAST_CHOICE = b'{"index":%d,"text":"","finish_reason":%b,"native_finish_reason":%b}'

    __slots__ = ()

    def _nothing(self) -> Fields:
        return {"text": b'""'}

    def _said(self, choice: dict[str, Raw], index: int, *, ended: bool) -> Fields:
        text = given(choice.pop("text", None))
        message = {"content": Raw(text)} if text else {}
        for name in ("reasoning", "reasoning_content"):
            if name in choice:
                message[name] = choice.pop(name)
        ours = self._message(message, index, ended=ended)
        if not ours and not text:
            return {}
        ours.setdefault("content", b'""')
        return {("text" if name == "content" else name): raw for name, raw in ours.items()}
