"""Reads a legacy completion request, and makes it canonical. Refuses, for crossings, prompts that are lists or tokens."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from farebox.dialects.framing.json_front import front, refuse
from farebox.dialects.openai_chat.opening import Effort, Penalty, ReasoningHead, Share, Short, Stop, Tokens
from farebox.dialects.openai_chat.wish import read_wish
from farebox.dialects.ports import Opened
from farebox.dialects.shared.checks import check_forbidden, typed, wanted_models
from farebox.dialects.shared.reader import Reader
from farebox.ir.errors import UnsupportedFeature
from farebox.ir.request import Message, OutputLimits, Request, Role, Sampling, Text

NAME = "openai_completions"
PROMPTS_MAX = 2048

TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class CompletionHead(Struct, gc=False):
    """Every parameter with its range; what is not named here passes unread."""

    prompt: str | list[str | TokenId | list[TokenId]]
    model: str | None = None
    models: Annotated[list[str], Meta(max_length=32)] | None = None
    provider: dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    suffix: str | None = None
    echo: bool | None = None
    best_of: Annotated[int, Meta(ge=1, le=20)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    min_p: Share | None = None
    top_a: Share | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Tokens | None = None
    seed: int | None = None
    stop: Stop | None = None
    logit_bias: dict[str, float] | None = None
    reasoning: ReasoningHead | None = None
    reasoning_effort: Effort | None = None
    include_reasoning: bool | None = None
    service_tier: Short | None = None
    session_id: Short | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None


_NOT_PARAMETERS = frozenset(
    (
        "prompt", "model", "models", "provider", "route", "plugins", "transforms", "preset", "stream", "stream_options",
        "session_id", "user", "metadata", "trace", "debug", "usage", "n", "service_tier",
    )
)  # fmt: skip
_SAME = {"reasoning_effort": "reasoning", "include_reasoning": "reasoning"}


def open_completion(body: bytes) -> Opened:
    """The opened request. Raises `InvalidRequest`."""
    fields, everything = front(body)
    check_forbidden(fields)
    if "prompt" not in everything:
        refuse("'prompt' is missing.", "missing_field", "$.prompt")
    head = typed(everything, CompletionHead)
    prompts = 1
    if isinstance(head.prompt, list):
        kinds = {type(item) for item in head.prompt}
        if len(kinds) != 1:
            refuse(
                "A list of prompts holds texts, token lists, or the tokens of one prompt.", "invalid_value", "$.prompt"
            )
        if kinds != {int}:
            prompts = len(head.prompt)
        if prompts > PROMPTS_MAX:
            refuse(f"More than {PROMPTS_MAX} prompts.", "too_many", "$.prompt")
    if head.best_of is not None and head.best_of < (head.n or 1):
        refuse("'best_of' must not be less than 'n'.", "invalid_value", "$.best_of")
    return Opened(
        body=body,
        fields=fields,
        models=wanted_models(head.model, head.models),
        stream=head.stream or False,
        choices=(head.n or 1) * prompts,
        max_tokens=head.max_tokens,
        provider=fields["provider"] if head.provider is not None else None,
        parameters=frozenset(
            _SAME.get(name, name)
            for name, value in everything.items()
            if value is not None and name not in _NOT_PARAMETERS
        ),
        service_tier=head.service_tier or "",
        session=head.session_id or "",
        user=head.user or "",
        include_reasoning=not (
            head.reasoning.exclude if head.reasoning is not None else head.include_reasoning is False
        ),
    )


def decode_completion(opened: Opened) -> Request:
    """The canonical request: the prompt as one user message."""
    reader = Reader(opened.fields)
    prompt = reader.value("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise UnsupportedFeature("Only one text can be the prompt for this model's endpoints.", path="$.prompt")
    wish = read_wish(opened.fields)
    for name in (
        "model",
        "models",
        "stream",
        "stream_options",
        "reasoning",
        "reasoning_effort",
        "include_reasoning",
        "n",
        "provider",
    ):
        reader.raw(name)
    stop = reader.value("stop")
    names = (
        "temperature",
        "top_p",
        "top_k",
        "top_a",
        "min_p",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
        "seed",
    )
    sampling = Sampling(
        choices=opened.choices, logit_bias=reader.raw("logit_bias"), **{name: reader.value(name) for name in names}
    )
    reader.raw("max_tokens")
    return Request(
        models=opened.models,
        messages=(Message(role=Role.USER, parts=(Text(text=prompt),)),),
        reasoning=wish,
        sampling=sampling,
        limits=OutputLimits(max_tokens=opened.max_tokens, stop=(stop,) if isinstance(stop, str) else tuple(stop or ())),
        service_tier=reader.value("service_tier"),
        user=reader.value("user"),
        stream=opened.stream,
        extras=reader.extras(NAME),
    )


def encode_completion(request: Request, fields: dict[str, Any]) -> dict[str, Raw]:
    """Chat fields with the messages as one prompt: the texts, one after the other."""
    texts = [part.text for message in request.messages for part in message.parts if isinstance(part, Text)]
    fields = {
        name: value
        for name, value in fields.items()
        if name not in ("messages", "tools", "tool_choice", "response_format")
    }
    fields["prompt"] = "\n\n".join(texts)
    fields.update(request.extras.get(NAME, {}))
    return {name: Raw(msgspec.json.encode(value)) for name, value in fields.items()}
