"""What every vendor body of a block-structured dialect needs: warnings gathered, foreign extras reported, and the target's
renames, drops and forced members applied to the top level. Knows no protocol's words.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.ports import Target
from farebox.ir.errors import InvalidRequest
from farebox.ir.events import Warning
from farebox.ir.request import Extras, Request

_encode = msgspec.json.encode
_value = msgspec.json.Decoder().decode
_object = msgspec.json.Decoder(dict[str, Any]).decode
Fields = dict[str, Any]

DROPPED = "parameter_dropped"
CHANGED = "parameter_changed"
UNSUPPORTED = "unsupported"
SEAL_DROPPED = "seal_dropped"
REASONING_DROPPED = "reasoning_dropped"


# Members of a request that steer the house or the shape of its answer, in whatever dialect: no vendor misses them.
_HOUSE = frozenset(
    (
        "provider", "models", "route", "plugins", "transforms", "preset", "session_id", "trace", "debug", "usage", "include",
        "include_reasoning", "stream_options", "store", "structured_outputs", "max_tool_calls", "stop_server_tools_when",
        "deferred_tools", "image_config",
    )
)  # fmt: skip


class Losses:
    """What was lost or changed on the way; each warning once."""

    __slots__ = ("warnings",)

    def __init__(self) -> None:
        self.warnings: list[Warning] = []

    def say(self, code: str, path: str, message: str) -> None:
        warning = Warning(code, path, message)
        if warning not in self.warnings:
            self.warnings.append(warning)

    def dropped(self, name: str) -> None:
        self.say(DROPPED, f"$.{name}", f"This provider does not take '{name}'.")

    def part(self, path: str, what: str) -> None:
        self.say(UNSUPPORTED, path, f"{what} cannot be said in this dialect.")

    def extras(self, extras: Extras, path: str, dialect: str) -> Fields:
        """Our own extras; those of another dialect are reported, but for positions, which say nothing here."""
        for name, members in extras.items():
            if name != dialect and members.keys() != {"index"}:
                self.part(path, f"An extension of {name}")
        return dict(extras.get(dialect, {}))


def members(request: Request, dialect: str, own: frozenset[str], losses: Losses) -> Fields:
    """The request's members in a dialect's own words: from its own callers, and what callers of another dialect gave under
    these names beside their own protocol. The rest is reported, each by its name.
    """
    out: Fields = dict(request.extras.get(dialect, {}))
    for other, given in request.extras.items():
        for name, raw in given.items() if other != dialect else ():
            if name in own:
                out.setdefault(name, raw)
            elif name not in _HOUSE:
                losses.dropped(name)
    return out


def object_of(raw: Raw, name: str) -> Fields:
    """A member that must be an object. Raises `InvalidRequest`."""
    try:
        return _object(raw)
    except msgspec.DecodeError:
        raise InvalidRequest(f"'{name}' must be an object.", path=f"$.{name}", reason="invalid_value") from None


def wishes(request: Request, target: Target, losses: Losses) -> dict[str, Any]:
    """The optional members that were given and that the target may take, under the names of OpenAI chat."""
    sampling = request.sampling
    given: dict[str, Any] = {name: getattr(sampling, name) for name in sampling.__struct_fields__ if name != "choices"}
    given |= {
        "n": sampling.choices if sampling.choices != 1 else None,
        "max_tokens": request.limits.max_tokens,
        "stop": list(request.limits.stop) or None,
        "verbosity": request.limits.verbosity,
        "parallel_tool_calls": request.parallel_tools,
        "modalities": list(request.modalities) if request.modalities not in ((), ("text",)) else None,
        "prompt_cache_key": request.cache_key,
        "service_tier": request.service_tier,
        "user": request.user,
        "metadata": request.metadata,
    }
    for name in target.drop:
        if given.pop(name, None) is not None:
            losses.dropped(name)
    return {name: value for name, value in given.items() if value is not None}


def leave(given: dict[str, Any], losses: Losses) -> None:
    """Whatever nobody took is dropped with a warning, but for what says the usual thing."""
    usual = {"parallel_tool_calls": True, "service_tier": "default", "top_logprobs": 0}
    for name, value in given.items():
        if usual.get(name) != value and (name, value) != ("service_tier", "auto"):
            losses.dropped(name)


def arguments(text: str, losses: Losses, path: str) -> Raw:
    """Tool arguments as the JSON object that these vendors take; the bytes stay what they were."""
    stripped = text.strip()
    if not stripped:
        return Raw(b"{}")
    try:
        value = _value(stripped)
    except (msgspec.DecodeError, RecursionError):
        value = text
    if isinstance(value, dict):
        return Raw(stripped.encode())
    losses.say(CHANGED, path, "Arguments that are no JSON object were put into one.")
    return Raw(_encode({} if value is None else {"input": value}))


def body(fields: Mapping[str, Any], target: Target, losses: Losses) -> bytes:
    """The vendor's body, with the target's renames, drops and forced members."""
    out: dict[str, Any] = {}
    for name, value in fields.items():
        if name in target.drop:
            losses.dropped(name)
        else:
            out.setdefault(target.rename.get(name, name), value)
    out.update(target.force)
    return _encode(out)
