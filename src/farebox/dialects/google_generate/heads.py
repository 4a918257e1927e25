"""The shapes of a request that reading relies on: what is named here has that type, whatever else passes unread.
Refuses nothing for what it means.
"""

from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct

from farebox.dialects.framing.json_front import refuse
from farebox.dialects.google_generate.words import camel
from farebox.dialects.shared.checks import typed
from farebox.ir.errors import InvalidRequest

Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Fields = dict[str, Any]
T = TypeVar("T")


class CallHead(Struct, gc=False):
    name: str | None = None
    args: Fields | None = None
    id: str | None = None


class ResultHead(Struct, gc=False):
    name: str | None = None
    id: str | None = None
    parts: list[Fields] | Fields | None = None


class PartHead(Struct, gc=False, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Fields | None = None
    file_data: Fields | None = None
    function_call: CallHead | None = None
    function_response: ResultHead | None = None


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
    response_schema: Fields | None = None
    response_modalities: list[str] | None = None


class ThinkingHead(Struct, gc=False, rename="camel"):
    include_thoughts: bool | None = None
    thinking_budget: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    thinking_level: str | None = None


class FunctionHead(Struct, gc=False, rename="camel"):
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    description: str | None = None
    parameters: Fields | None = None


class ChoiceHead(Struct, gc=False, rename="camel"):
    mode: str | None = None
    allowed_function_names: list[str] | None = None


def spelled(fields: Fields) -> Fields:
    """Members under the names they are read by."""
    return {camel(name): value for name, value in fields.items()}


def inner(fields: Fields, name: str, path: str) -> Fields | None:
    """A member that is an object, or absent."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        refuse(f"'{name}' is an object.", "invalid_value", f"{path}.{name}")
    return spelled(value)


def at(value: Any, kind: type[T], path: str) -> T:
    """`typed`, with the path of where the value stands."""
    try:
        return typed(value, kind)
    except InvalidRequest as problem:
        place = (problem.path or "$").removeprefix("$")
        raise InvalidRequest(problem.message, path=f"{path}{place}", reason="invalid_value") from None


def listed(value: Any, path: str) -> list[Fields]:
    """A list of objects; one object alone counts as such a list, as Google reads it."""
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        refuse("A list of objects belongs here.", "invalid_value", path)
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            refuse("An object belongs here.", "invalid_value", f"{path}[{index}]")
    return value


def check_tools(value: Any, path: str) -> None:
    for index, tool in enumerate(listed(value, path) if value is not None else ()):
        for name, declared in spelled(tool).items():
            if name == "functionDeclarations" and declared is not None:
                where = f"{path}[{index}].{name}"
                for position, function in enumerate(listed(declared, where)):
                    at(spelled(function), FunctionHead, f"{where}[{position}]")


def check_choice(value: Fields | None, path: str) -> None:
    choice = inner(value, "functionCallingConfig", path) if value is not None else None
    if choice is not None:
        at(choice, ChoiceHead, f"{path}.functionCallingConfig")


def thinking(config: Fields) -> ThinkingHead:
    given = inner(config, "thinkingConfig", "$.generationConfig")
    return at(given, ThinkingHead, "$.generationConfig.thinkingConfig") if given is not None else ThinkingHead()


def part(fields: Fields, path: str) -> PartHead:
    head = at(spelled(fields), PartHead, path)
    result = head.function_response
    if result is not None and result.parts is not None:
        for index, piece in enumerate(listed(result.parts, f"{path}.functionResponse.parts")):
            part(piece, f"{path}.functionResponse.parts[{index}]")
    return head
