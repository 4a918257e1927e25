"""Reads a generateContent request as far as admission and routing need. Refuses what is out of range, with its JSON path.

The model and the wish for a stream stand in the path of the request, not in its body: see `with_path`. A body may name
`model` as some libraries do, and Farebox's own `models` and `provider`.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.framing.json_front import front, refuse
from farebox.dialects.google_generate.heads import (
    Config,
    PartHead,
    at,
    check_choice,
    check_tools,
    inner,
    listed,
    part,
    thinking,
)
from farebox.dialects.google_generate.media import family_of
from farebox.dialects.google_generate.seals import is_wrapped
from farebox.dialects.google_generate.words import FORMAT, camel
from farebox.dialects.ports import Opened
from farebox.dialects.shared.checks import check_forbidden, check_references, wanted_models

PARTS_MAX = 5_000


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
        if contents == []:
            refuse("'contents' is a list of at least one content.", "invalid_value", "$.contents")
        for index, content in enumerate(listed(contents, "$.contents")):
            path = f"$.contents[{index}]"
            if content.get("role") not in (None, "", "user", "model", "function"):
                refuse("The role is 'user' or 'model'.", "invalid_value", f"{path}.role")
            self.parts_of(content, path)
        if self.parts > PARTS_MAX:
            refuse(f"More than {PARTS_MAX} parts.", "too_many", "$.contents")

    def parts_of(self, content: dict[str, Any], path: str) -> None:
        for position, fields in enumerate(listed(content.get("parts"), f"{path}.parts")):
            self.parts += 1
            self._part(part(fields, f"{path}.parts[{position}]"))

    def _part(self, head: PartHead) -> None:
        for blob in (head.inline_data, head.file_data):
            if blob is not None:
                self.modalities.add(family_of(str(blob.get("mimeType") or blob.get("mime_type") or "")))
        signature = head.thought_signature
        if signature:
            self.marks.add("wrapped" if is_wrapped(signature) else "signature")
            self.origins.add("unknown" if is_wrapped(signature) else FORMAT)
        if head.function_call is not None:
            self.marks.add("tool_calls")
        if head.function_response is not None:
            self.marks.add("tool")


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
    config = inner(everything, "generationConfig", "$") or {}
    head = at(config, Config, "$.generationConfig")
    _check_rest(everything)
    if b'"$ref"' in body:
        check_references(config.get("responseJsonSchema"), "$.generationConfig.responseJsonSchema")
        check_references(everything.get("tools"), "$.tools")
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
        include_reasoning=thinking(config).include_thoughts is True,
        relayable="wrapped" not in seen.marks,
    )


def _check_rest(everything: dict[str, Any]) -> None:
    """The other members whose shape reading relies on."""
    system = everything.get("systemInstruction")
    if system is not None and not isinstance(system, str):
        content = inner(everything, "systemInstruction", "$") or {}
        if content.get("parts") is not None and not isinstance(content["parts"], str):
            _Seen().parts_of(content, "$.systemInstruction")
    check_tools(everything.get("tools"), "$.tools")
    check_choice(inner(everything, "toolConfig", "$"), "$.toolConfig")


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
