"""A canonical request written as generateContent. What another dialect said and this one cannot say becomes a warning.

Option words (`Target.options`): `openapi_schema` (the vendor takes no JSON schema), `no_call_ids`, `no_signature_stand_in`,
`service_tier` (takes `serviceTier`), `labels` (takes `metadata` as `labels`), `text_beside_media` (media need a text).
Settings: `thinking_levels` (the levels it takes, by commas). `reasoning_wish`: `thinking_level`, `thinking_budget`, `none`;
empty decides by the generation in the model's name.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.google_generate.content_writing import ContentWriter
from farebox.dialects.google_generate.schema import to_openapi
from farebox.dialects.google_generate.thinking import write_wish
from farebox.dialects.google_generate.words import NAME
from farebox.dialects.ports import Target
from farebox.ir.events import Warning
from farebox.ir.request import OutputFormat, Request, Tool, ToolChoice, ToolMode

_encode = msgspec.json.encode
_value = msgspec.json.Decoder().decode
_raws = msgspec.json.Decoder(dict[str, Raw]).decode
Fields = dict[str, Any]
DROPPED = "parameter_dropped"
CHANGED = "parameter_changed"
STOP_MAX = 5
_MODES = {ToolMode.AUTO: "AUTO", ToolMode.NONE: "NONE", ToolMode.REQUIRED: "ANY", ToolMode.NAMED: "ANY"}
_SAMPLING = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "seed": "seed",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
_UNSAID = ("top_a", "min_p", "repetition_penalty", "logit_bias")
# Farebox's own members and the other spellings of what is canonical already.
_SILENT = frozenset(("provider", "models", "route", "plugins", "transforms", "usage", "stream_options", "session_id"))


class _Writer:
    """Gathers what was lost or changed."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.warnings: list[Warning] = []

    def dropped(self, name: str) -> None:
        self.warnings.append(Warning(DROPPED, f"$.{name}", f"This provider does not take '{name}'."))

    def config(self, request: Request) -> Fields:
        target, sampling, limits = self.target, request.sampling, request.limits
        members = {word: getattr(sampling, name) for name, word in _SAMPLING.items()}
        members |= {
            "responseLogprobs": sampling.logprobs or None,
            "candidateCount": sampling.choices if sampling.choices != 1 else None,
            "maxOutputTokens": limits.max_tokens,
            "stopSequences": self._stop(limits.stop) or None,
            "responseModalities": [word.upper() for word in request.modalities] or None,
        }
        out: Fields = {name: value for name, value in members.items() if value is not None}
        if request.output is not None:
            out.update(self._output(request.output))
        if request.reasoning is not None:
            thinking, warnings = write_wish(request.reasoning, target, limits.max_tokens)
            self.warnings += warnings
            if thinking is not None:
                out["thinkingConfig"] = thinking
        own = request.extras.get(NAME, {}).get("generationConfig")
        if own is not None:
            out |= _raws(own)
        for name in [name for name in out if name in target.drop]:
            del out[name]
            self.dropped(f"generationConfig.{name}")
        self._unsaid(request)
        return out

    def _stop(self, stop: tuple[str, ...]) -> list[str]:
        if len(stop) > STOP_MAX:
            self.warnings.append(Warning(CHANGED, "$.stop", f"This provider takes {STOP_MAX} stop sequences."))
        return list(stop[:STOP_MAX])

    def _unsaid(self, request: Request) -> None:
        options = self.target.options
        lost = {
            "parallel_tool_calls": True if request.parallel_tools is False else None,
            "verbosity": request.limits.verbosity,
            "prompt_cache_key": request.cache_key,
            "user": request.user,
            "metadata": request.metadata if "labels" not in options else None,
            "service_tier": request.service_tier if "service_tier" not in options else None,
        }
        lost |= {name: getattr(request.sampling, name) for name in _UNSAID}
        for name, value in lost.items():
            if value is not None:
                self.dropped(name)
        for dialect, members in request.extras.items():
            for name in members if dialect != NAME else ():
                if name not in _SILENT:
                    self.warnings.append(
                        Warning("unsupported", f"$.{name}", f"An extension of {dialect} cannot be said here.")
                    )

    def _output(self, output: OutputFormat) -> Fields:
        own = output.extras.get(NAME, {})
        if output.form == "text":
            return {"responseMimeType": own["responseMimeType"]} if "responseMimeType" in own else {}
        out: Fields = {"responseMimeType": own.get("responseMimeType", "application/json")}
        if output.form not in ("json_object", "json_schema"):
            self.dropped("response_format")
            return {}
        if "responseSchema" in own:
            out["responseSchema"] = own["responseSchema"]
        elif output.schema is not None and "openapi_schema" in self.target.options:
            out["responseSchema"] = to_openapi(output.schema)
        elif output.schema is not None:
            out["responseJsonSchema"] = output.schema
        if output.strict is not None:
            self.warnings.append(Warning(DROPPED, "$.response_format.json_schema.strict", "Schemas always hold here."))
        return out

    def tools(self, tools: tuple[Tool, ...]) -> list[Any]:
        """Functions in one tool object, each tool of the vendor in its own."""
        functions: list[Fields] = []
        others: list[Any] = []
        for index, tool in enumerate(tools):
            path = f"$.tools[{index}]"
            own = tool.extras.get(NAME, {})
            if tool.form == "function":
                functions.append(self._function(tool, own, path))
            elif "definition" in own:
                others.append(own["definition"])
            else:
                self.warnings.append(Warning("unsupported", path, f"The tool '{tool.name}' cannot be said here."))
        return ([{"functionDeclarations": functions}] if functions else []) + others

    def _function(self, tool: Tool, own: dict[str, Raw], path: str) -> Fields:
        out: Fields = {"name": tool.name}
        if tool.description:
            out["description"] = tool.description
        if "parameters" not in own and tool.schema is not None and _value(tool.schema):
            if "openapi_schema" in self.target.options:
                parameters = to_openapi(tool.schema)
                if b'"properties"' in bytes(parameters):
                    out["parameters"] = parameters
            else:
                out["parametersJsonSchema"] = tool.schema
        if tool.strict is not None:
            self.warnings.append(Warning(DROPPED, f"{path}.function.strict", "This provider does not take 'strict'."))
        for dialect in tool.extras:
            if dialect != NAME:
                self.warnings.append(Warning("unsupported", path, f"An extension of {dialect} cannot be said here."))
        return out | own


def _tool_config(request: Request) -> Any:
    own = request.extras.get(NAME, {}).get("toolConfig")
    if own is not None or request.tool_choice is None:
        return own
    choice: ToolChoice = request.tool_choice
    inner: Fields = {"mode": _MODES[choice.mode]}
    if choice.mode is ToolMode.NAMED:
        inner["allowedFunctionNames"] = list(choice.names)
    return {"functionCallingConfig": inner}


def encode_generate(request: Request, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body, and what was lost or changed."""
    writer = _Writer(target)
    contents = ContentWriter(target)
    out: Fields = contents.write(request.messages)
    members: Fields = {
        "tools": writer.tools(request.tools) or None,
        "toolConfig": _tool_config(request),
        "generationConfig": writer.config(request) or None,
        "serviceTier": request.service_tier if "service_tier" in target.options else None,
        "labels": request.metadata if "labels" in target.options else None,
    }
    out |= {name: value for name, value in members.items() if value is not None}
    for name, raw in request.extras.get(NAME, {}).items():
        if name not in ("generationConfig", "toolConfig"):
            out[name] = raw
    renamed: Fields = {}
    for name, value in out.items():
        if name in target.drop:
            writer.dropped(name)
        else:
            renamed[target.rename.get(name, name)] = value
    renamed.update(target.force)
    if request.cache is not None or contents.marked or any(tool.cache is not None for tool in request.tools):
        writer.warnings.append(
            Warning("unsupported", "$.cache_control", "This provider caches by itself; a cache mark changes nothing.")
        )
    return _encode(renamed), contents.warnings + writer.warnings
