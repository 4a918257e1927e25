"""Faults of counting (F38–F40): usage missing, absurd, repeated. Refuses to touch the words."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from farebox.sims.answers.documents import CONTENT_KINDS, Frame
from farebox.sims.exchange import Exchange
from farebox.sims.faults.types import Fault, Play, Variant, only_stream
from farebox.sims.http1 import Json, dump

Lie = Callable[[Json], Any]


def _true_usage(exchange: Exchange) -> Json:
    usage = exchange.document.get("usage")
    return dict(usage) if isinstance(usage, dict) else {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def _envelope(exchange: Exchange) -> Json:
    payload = next((frame.payload for frame in exchange.frames if frame.payload), {})
    return {**payload, "choices": []}


def _before_done(exchange: Exchange, added: Iterable[Frame]) -> list[Frame]:
    """The stream with `added` in the place of its usage."""
    kept = [frame for frame in exchange.frames if frame.kind not in ("usage", "done")]
    return [*kept, *added, Frame("done")]


def _usage(lie: Lie) -> Play:
    """The answer with a usage that is not true, whether it was asked for or not."""

    async def play(exchange: Exchange) -> None:
        usage = lie(_true_usage(exchange))
        if exchange.stream:
            await exchange.play(_before_done(exchange, [Frame("usage", {**_envelope(exchange), "usage": usage})]))
        else:
            await exchange.reply(dump({**exchange.document, "usage": usage}))

    return play


async def _missing(exchange: Exchange) -> None:
    if exchange.stream:
        await exchange.play(_before_done(exchange, ()))
    else:
        await exchange.reply(dump({name: value for name, value in exchange.document.items() if name != "usage"}))


def _all(value: Any) -> Lie:
    return lambda usage: {"prompt_tokens": value, "completion_tokens": value, "total_tokens": value}


def _times(factor: int, *names: str) -> Lie:
    return lambda usage: {**usage, **{name: max(1, usage[name]) * factor for name in names}}


def _more_cached(usage: Json) -> Json:
    return {**usage, "prompt_tokens_details": {"cached_tokens": usage["prompt_tokens"] + 1_000}}


def _more_reasoning(usage: Json) -> Json:
    return {**usage, "completion_tokens_details": {"reasoning_tokens": usage["completion_tokens"] + 1_000}}


async def _repeated(exchange: Exchange) -> None:
    usage = _true_usage(exchange)
    if exchange.stream:
        frame = Frame("usage", {**_envelope(exchange), "usage": usage})
        await exchange.play(_before_done(exchange, [frame, frame]))
    else:
        again = b',"usage":' + dump(usage) + b"}"
        await exchange.reply(exchange.body[:-1] + again)


async def _cumulative(exchange: Exchange) -> None:
    """Every chunk tells the usage so far."""
    total = _true_usage(exchange)
    frames, said = [], 0
    for frame in exchange.frames:
        if frame.payload is None or frame.kind == "usage":
            continue
        said += frame.kind in CONTENT_KINDS
        usage = {**total, "completion_tokens": said, "total_tokens": total["prompt_tokens"] + said}
        frames.append(replace(frame, payload={**frame.payload, "usage": usage}))
    last = Frame("usage", {**_envelope(exchange), "usage": total})
    await exchange.play([*frames, last, Frame("done")])


async def _lower_last(exchange: Exchange) -> None:
    total = _true_usage(exchange)
    early = {**total, "completion_tokens": total["completion_tokens"] + 500}
    frames = _before_done(exchange, [Frame("usage", {**_envelope(exchange), "usage": total})])
    await exchange.play([frames[0], Frame("usage", {**_envelope(exchange), "usage": early}), *frames[1:]])


async def _done_twice(exchange: Exchange) -> None:
    await exchange.play((*exchange.frames, Frame("done")))


async def _after_done(exchange: Exchange) -> None:
    content = [frame for frame in exchange.frames if frame.kind == "content"][:2]
    usage = {**_true_usage(exchange), "completion_tokens": 999_999}
    await exchange.play(
        (*exchange.frames, *content, Frame("usage", {**_envelope(exchange), "usage": usage}), Frame("done"))
    )


FAULTS = (
    Fault(
        "f38",
        "Usage is missing.",
        (
            Variant("missing", "No usage at all.", _missing),
            Variant("null", "`usage` is null.", _usage(lambda usage: None)),
            Variant("empty", "`usage` is an empty object.", _usage(lambda usage: {})),
            Variant("zero", "All counts are zero.", _usage(_all(0))),
        ),
    ),
    Fault(
        "f39",
        "Usage is absurd.",
        (
            Variant("negative", "-1000000 tokens.", _usage(_all(-1_000_000))),
            Variant("text", "Counts are texts.", _usage(_all("12"))),
            Variant("nan", "Counts are NaN.", _usage(_all(float("nan")))),
            Variant("huge", "10^30 tokens.", _usage(_all(10**30))),
            Variant("float", "Counts are fractions.", _usage(_all(12.5))),
            Variant("null", "Counts are null.", _usage(_all(None))),
            Variant("list", "`usage` is a list.", _usage(lambda usage: [usage])),
            Variant("output", "A million times the output tokens.", _usage(_times(1_000_000, "completion_tokens"))),
            Variant("prompt", "Ten times the prompt tokens.", _usage(_times(10, "prompt_tokens"))),
            Variant("cached", "More cached tokens than prompt tokens.", _usage(_more_cached)),
            Variant("reasoning", "More reasoning tokens than output tokens.", _usage(_more_reasoning)),
        ),
    ),
    Fault(
        "f40",
        "Usage or the end comes twice.",
        (
            Variant("usage", "The same usage twice (in a whole answer: the field twice).", _repeated),
            only_stream("cumulative", "Usage so far in every chunk.", _cumulative),
            only_stream("lower", "A higher usage early, the true one at the end.", _lower_last),
            only_stream("done", "[DONE] twice.", _done_twice),
            only_stream("after", "Content and usage after [DONE].", _after_done),
        ),
    ),
)
