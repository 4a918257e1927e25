"""Reads a generateContent request as far as admission and routing need. Refuses what is out of range, with its JSON path.

The model and the wish for a stream stand in the path of the request, not in its body: see `with_path`. A body may name
`model` as some libraries do, and Farebox's own `models` and `provider`.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from farebox.dialects.framing.json_front import front, refuse
from farebox.dialects.google_generate.media import family_of
from farebox.dialects.google_generate.seals import is_wrapped
from farebox.dialects.google_generate.words import FORMAT, camel
from farebox.dialects.ports import Opened
from farebox.dialects.shared.checks import check_forbidden, check_references, typed, wanted_models

PARTS_MAX = 5_000
Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class Config(Struct, gc=False, rename="camel"):
    """`generationConfig`: the members with a range; what is not named here passes unread."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[float, Meta(ge=0, le=2**31 - 1)] | None = None
    candidate_count: Annotated[int, Meta(ge=1, le=128)] | None = None
    max_output_tokens: Tokens | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=16)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    seed: int | None = None
    response_logprobs: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_mime_type: str | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: Any = None
    response_modalities: list[str] | None = None
    thinking_config: dict[str, Any] | None = None


_PARAMETERS = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "seed": "seed",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
    "responseSchema": "response_format",
    "responseJsonSchema": "response_format",
    "thinkingConfig": "reasoning",
}


class _Seen:
    """What one look over the contents gathers."""

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self.modalities: set[str] = set()
        self.origins: set[str] = set()
        self.parts = 0

    def look(self, contents: Any) -> None:
        if isinstance(contents, dict):
            contents = [contents]
        if not isinstance(contents, list) or not contents:
            refuse("'contents' is a list of at least one content.", "invalid_value", "$.contents")
        for index, content in enumerate(contents):
            self._content(content, f"$.contents[{index}]")
        if self.parts > PARTS_MAX:
            refuse(f"More than {PARTS_MAX} parts.", "too_many", "$.contents")

    def _content(self, content: Any, path: str) -> None:
        if not isinstance(content, dict):
            refuse("A content is an object.", "invalid_value", path)
        if content.get("role") not in (None, "", "user", "model", "function"):
            refuse("The role is 'user' or 'model'.", "invalid_value", f"{path}.role")
        parts = content.get("parts")
        if isinstance(parts, dict):
            parts = [parts]
        if not isinstance(parts, list):
            refuse("A content has a list of parts.", "invalid_value", f"{path}.parts")
        for position, part in enumerate(parts):
            if not isinstance(part, dict):
                refuse("A part is an object.", "invalid_value", f"{path}.parts[{position}]")
            self._part(part)

    def _part(self, part: dict[str, Any]) -> None:
        self.parts += 1
        for spelled, value in part.items():
            name = camel(spelled)
            if name in ("inlineData", "fileData") and isinstance(value, dict):
                media_type = value.get("mimeType") or value.get("mime_type") or ""
                self.modalities.add(family_of(str(media_type)))
            elif name == "thoughtSignature" and isinstance(value, str) and value:
                self.marks.add("wrapped" if is_wrapped(value) else "signature")
                self.origins.add("unknown" if is_wrapped(value) else FORMAT)
            elif name == "functionCall":
                self.marks.add("tool_calls")
            elif name == "functionResponse":
                self.marks.add("tool")


def _config(everything: dict[str, Any]) -> dict[str, Any]:
    value = everything.get("generationConfig")
    if value is None:
        return {}
    if not isinstance(value, dict):
        refuse("'generationConfig' is an object.", "invalid_value", "$.generationConfig")
    return {camel(name): inner for name, inner in value.items()}


def _parameters(everything: dict[str, Any], config: dict[str, Any]) -> set[str]:
    found = {_PARAMETERS[name] for name, value in config.items() if value is not None and name in _PARAMETERS}
    if config.get("responseMimeType") == "application/json":
        found.add("response_format")
    if everything.get("tools"):
        found.add("tools")
    choice = everything.get("toolConfig")
    if isinstance(choice, dict) and (choice.get("functionCallingConfig") or choice.get("function_calling_config")):
        found.add("tool_choice")
    if any(str(word).upper() != "TEXT" for word in config.get("responseModalities") or ()):
        found.add("modalities")
    return found


def open_generate(body: bytes) -> Opened:
    """The opened request; its model may be missing until `with_path`. Raises `InvalidRequest`."""
    given, plain = front(body)
    check_forbidden(given)
    fields: dict[str, Raw] = {}
    everything: dict[str, Any] = {}
    for spelled, raw in given.items():
        name = camel(spelled)
        if name in fields:
            refuse(f"'{name}' is given in two spellings.", "duplicate_field", f"$.{spelled}")
        fields[name], everything[name] = raw, plain[spelled]
    if "contents" not in everything:
        refuse("'contents' is missing.", "missing_field", "$.contents")
    seen = _Seen()
    seen.look(everything["contents"])
    config = _config(everything)
    head = typed(config, Config)
    if b'"$ref"' in body:
        check_references(config.get("responseJsonSchema"), "$.generationConfig.responseJsonSchema")
        check_references(everything.get("tools"), "$.tools")
    thinking = {camel(name): value for name, value in (head.thinking_config or {}).items()}
    provider = everything.get("provider")
    return Opened(
        body=body,
        fields=fields,
        models=_named(everything),
        choices=head.candidate_count or 1,
        max_tokens=head.max_output_tokens,
        provider=fields["provider"] if isinstance(provider, dict) else None,
        parameters=frozenset(_parameters(everything, config)),
        modalities=frozenset(seen.modalities),
        origins=frozenset(seen.origins),
        marks=frozenset(seen.marks),
        service_tier=str(everything.get("serviceTier") or ""),
        include_reasoning=thinking.get("includeThoughts") is True,
        relayable="wrapped" not in seen.marks,
    )


def _named(everything: dict[str, Any]) -> tuple[str, ...]:
    model, models = everything.get("model"), everything.get("models")
    names = [model] if isinstance(model, str) and model else []
    names += [name for name in models if isinstance(name, str)] if isinstance(models, list) else []
    return wanted_models(None, [name.removeprefix("models/") for name in names]) if names else ()


def with_path(opened: Opened, model: str, *, stream: bool) -> Opened:
    """The opened request with what its path says; the path's model comes first, `models` of the body after it."""
    rest = [name for name in opened.models if "model" not in opened.fields] if model else list(opened.models)
    names = wanted_models(model.removeprefix("models/") or None, rest)
    return msgspec.structs.replace(opened, models=names, stream=stream)
