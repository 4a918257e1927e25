"""Writing an answer down: stream frames and whole documents of the OpenAI wire shapes. Refuses bytes and timing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from farebox.sims.answers.plan import Answer, Choice
from farebox.sims.http1 import Json, dump

SPELLINGS = ("reasoning_content", "reasoning", "think")
CONTENT_KINDS = frozenset({"reasoning", "content", "call"})


@dataclass(frozen=True, slots=True)
class Style:
    """The ways in which vendors of one protocol differ."""

    reasoning: str = "reasoning_content"
    usage: str = "asked"
    logprobs: int | None = None
    """Alternatives per token; None: no logprobs."""
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One stream event. `kind`: role, reasoning, content, call, finish, usage, error or done."""

    kind: str
    payload: Json | None = None
    raw: bytes | None = None

    @property
    def data(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return b"data: " + (b"[DONE]" if self.payload is None else dump(self.payload)) + b"\n\n"


def usage(answer: Answer) -> Json:
    """Totals that include their parts, as this protocol has it."""
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens, "audio_tokens": 0},
    }


def whole(answer: Answer, style: Style) -> Json:
    """The answer as one document."""
    choices = [_legacy_choice(choice) if style.legacy else _whole_choice(choice, style) for choice in answer.choices]
    document = {**_envelope(answer, style, part=False), "choices": choices}
    return document if style.usage == "never" else {**document, "usage": usage(answer)}


def frames(answer: Answer, style: Style, *, usage_asked: bool) -> list[Frame]:
    """The answer as stream events, `[DONE]` included."""
    envelope = _envelope(answer, style, part=True)

    def frame(kind: str, choice: Json) -> Frame:
        return Frame(kind, {**envelope, "choices": [choice]})

    written: list[Frame] = []
    if not style.legacy:
        for choice in answer.choices:
            written.append(frame("role", _delta(choice, {"role": "assistant", "content": ""})))
    streams = [list(_pieces(choice, style)) for choice in answer.choices]
    for turn in zip_longest(*streams):
        written.extend(frame(kind, piece) for kind, piece in filter(None, turn))
    for choice in answer.choices:
        end = _text_piece(choice, "", choice.finish) if style.legacy else _delta(choice, {}, choice.finish)
        written.append(frame("finish", end))
    if style.usage == "finish":
        last = written[-1]
        written[-1] = replace(last, payload={**(last.payload or {}), "usage": usage(answer)})
    elif style.usage == "always" or (style.usage == "asked" and usage_asked):
        written.append(Frame("usage", {**envelope, "choices": [], "usage": usage(answer)}))
    written.append(Frame("done"))
    return written


def _envelope(answer: Answer, style: Style, *, part: bool) -> Json:
    kind = "text_completion" if style.legacy else "chat.completion.chunk" if part else "chat.completion"
    return {
        "id": answer.id,
        "object": kind,
        "created": answer.created_s,
        "model": answer.model,
        "system_fingerprint": "fp_simulated",
    }


def _pieces(choice: Choice, style: Style) -> Iterator[tuple[str, Json]]:
    if style.legacy:
        yield from (("content", _text_piece(choice, word, None)) for word in choice.words)
        return
    thoughts, words = _spelt(choice, style)
    for thought in thoughts:
        yield "reasoning", _delta(choice, {style.reasoning: thought})
    for word in words:
        piece = _delta(choice, {"content": word})
        if style.logprobs is not None:
            piece["logprobs"] = {"content": [_logprob(word, style.logprobs)], "refusal": None}
        yield "content", piece
    for index, call in enumerate(choice.calls):
        opening = {"name": call.name, "arguments": ""}
        head = {"index": index, "id": call.call_id, "type": "function", "function": opening}
        yield "call", _delta(choice, {"tool_calls": [head]})
        for part in call.pieces:
            yield "call", _delta(choice, {"tool_calls": [{"index": index, "function": {"arguments": part}}]})


def _spelt(choice: Choice, style: Style) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if style.reasoning == "think" and choice.reasoning:
        return (), ("<think>\n", *choice.reasoning, "\n</think>\n\n", *choice.words)
    return choice.reasoning, choice.words


def _whole_choice(choice: Choice, style: Style) -> Json:
    thoughts, words = _spelt(choice, style)
    message: Json = {
        "role": "assistant",
        "content": "".join(words) if words or not choice.calls else None,
        "refusal": None,
    }
    if thoughts:
        message[style.reasoning] = "".join(thoughts)
    if choice.calls:
        message["tool_calls"] = [
            {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in choice.calls
        ]
    logprobs = None
    if style.logprobs is not None:
        logprobs = {"content": [_logprob(word, style.logprobs) for word in words], "refusal": None}
    return {"index": choice.index, "message": message, "logprobs": logprobs, "finish_reason": choice.finish}


def _legacy_choice(choice: Choice) -> Json:
    return _text_piece(choice, "".join(choice.words), choice.finish)


def _text_piece(choice: Choice, text: str, finish: str | None) -> Json:
    return {"text": text, "index": choice.index, "logprobs": None, "finish_reason": finish}


def _delta(choice: Choice, delta: Json, finish: str | None = None) -> Json:
    return {"index": choice.index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _logprob(token: str, alternatives: int) -> Json:
    def entry(text: str, logprob: float) -> Json:
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    likely = -0.125 * (1 + len(token) % 4)
    others = [entry(token if rank == 0 else f"{token}{rank}", likely - rank) for rank in range(alternatives)]
    return {**entry(token, likely), "top_logprobs": others}
