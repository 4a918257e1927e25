"""Owns Converse requests: the recorded ones written again from canonical values, and what each wish becomes; refuses answers."""

import base64
import json
from typing import Any

import pytest
from msgspec import Raw

from farebox.dialects.bedrock_converse.halves import ConverseClient
from farebox.dialects.ports import Target
from farebox.ir.errors import InvalidRequest, VendorUnsupported
from farebox.ir.fold import fold
from farebox.ir.request import (
    AnyPart,
    CacheMark,
    FileId,
    Inline,
    Media,
    Message,
    Opaque,
    Origin,
    OutputFormat,
    OutputLimits,
    Reasoning,
    ReasoningWish,
    Refusal,
    Request,
    Role,
    Sampling,
    Seal,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    Url,
)
from unit.dialects.bedrock_converse.native_traffic import CHARGE, CHAT, Exchange, by_name, envelope, exchanges

CLIENT = ConverseClient()
NAME = "bedrock_converse"
SEAL = Origin(NAME, format="anthropic-claude-v1")
CLAUDE = Target(model="us.anthropic.claude-sonnet-4-5-20250929-v1:0", vendor="v")
OTHER = Target(model="maker.model-v1:0", vendor="v")
RECORDED = [item for item in exchanges("bedrock/bedrock.converse*.json") if item.request]
MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "pdf": "application/pdf", "txt": "text/plain"}


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def read_part(block: dict[str, Any]) -> AnyPart:
    """A recorded block as a canonical part."""
    ((kind, inner),) = block.items()
    if kind == "text":
        return Text(text=inner)
    if kind in ("image", "document", "video") and "text" not in inner["source"]:
        source = inner["source"]
        rest = {name: raw(value) for name, value in inner.items() if name not in ("format", "name", "source")}
        return Media(
            family={"document": "file"}.get(kind, kind),
            media_type=MEDIA_TYPES.get(inner["format"], inner["format"]),
            source=Inline(source["bytes"]) if "bytes" in source else Url(source["s3Location"]["uri"]),
            filename=inner.get("name", ""),
            extras={NAME: rest} if rest else {},
        )
    if kind == "reasoningContent":
        text = inner["reasoningText"]
        return Reasoning(text=text["text"], seal=Seal("signature", text["signature"]), origin=SEAL)
    if kind == "toolUse" and "type" not in inner:
        return ToolCall(call_id=inner["toolUseId"], name=inner["name"], arguments=json.dumps(inner["input"]))
    if kind == "toolResult" and "type" not in inner:
        parts = tuple(read_part(one) for one in inner["content"])
        rest = {"status": raw(inner["status"])} if "status" in inner else {}
        return ToolResult(call_id=inner["toolUseId"], parts=parts, extras={NAME: rest} if rest else {})
    return Opaque(payload=raw(block), origin=Origin(NAME))


def marked(blocks: list[dict[str, Any]], read: Any) -> list[Any]:
    """Values of blocks; a cache point marks the one before it."""
    values: list[Any] = []
    for block in blocks:
        if "cachePoint" in block:
            fields = {name: getattr(values[-1], name) for name in values[-1].__struct_fields__}
            values[-1] = type(values[-1])(**fields | {"cache": CacheMark()})
        else:
            values.append(read(block))
    return values


def read_tool(block: dict[str, Any]) -> Tool:
    if "toolSpec" not in block:
        return Tool(name="x", form="server", extras={NAME: {"definition": raw(block)}})
    spec = block["toolSpec"]
    return Tool(
        name=spec["name"],
        description=spec.get("description", ""),
        schema=raw(spec["inputSchema"]["json"]),
        strict=spec.get("strict"),
    )


def read_choice(choice: dict[str, Any] | None) -> ToolChoice | None:
    if choice is None:
        return None
    ((kind, inner),) = choice.items()
    mode = {"auto": ToolMode.AUTO, "any": ToolMode.REQUIRED, "tool": ToolMode.NAMED}[kind]
    return ToolChoice(mode, (inner["name"],) if kind == "tool" else ())


def read_request(body: dict[str, Any]) -> Request:
    """A recorded body as a canonical request."""
    body = json.loads(json.dumps(body))
    system = marked(body.pop("system", []), read_part)
    messages = [Message(role=Role.SYSTEM, parts=tuple(system))] if system else []
    messages += [
        Message(role=Role(one["role"]), parts=tuple(marked(one["content"], read_part))) for one in body.pop("messages")
    ]
    tools = body.pop("toolConfig", {})
    inference = body.pop("inferenceConfig", {})
    more = body.get("additionalModelRequestFields", {})
    thinking = more.pop("thinking", None)
    if not more:
        body.pop("additionalModelRequestFields", None)
    output = body.pop("outputConfig", None)
    schema = output["textFormat"]["structure"]["jsonSchema"] if output else None
    return Request(
        models=("author/model",),
        messages=tuple(messages),
        tools=tuple(marked(tools.get("tools", []), read_tool)),
        tool_choice=read_choice(tools.get("toolChoice")),
        output=OutputFormat(
            form="json_schema",
            name=schema["name"],
            schema=Raw(schema["schema"].encode()),
            description=schema.get("description", ""),
        )
        if schema
        else None,
        reasoning=ReasoningWish(enabled=True, max_tokens=thinking["budget_tokens"]) if thinking else None,
        sampling=Sampling(temperature=inference.get("temperature"), top_p=inference.get("topP")),
        limits=OutputLimits(max_tokens=inference.get("maxTokens"), stop=tuple(inference.get("stopSequences", ()))),
        extras={NAME: {name: raw(value) for name, value in body.items()}} if body else {},
    )


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """What we write otherwise, by intention: empty members are left out; messages of one role in a row are one; a video's
    format is the word alone; the default choice of tools goes unsaid nowhere.
    """
    out = {name: value for name, value in json.loads(json.dumps(body)).items() if value not in ([], {})}
    if out.get("inferenceConfig", {}).get("stopSequences") == []:
        del out["inferenceConfig"]["stopSequences"]
    messages: list[dict[str, Any]] = []
    for message in out["messages"]:
        for block in message["content"]:
            if "video" in block:
                block["video"]["format"] = block["video"]["format"].rpartition("/")[2]
        if messages and messages[-1]["role"] == message["role"]:
            messages[-1]["content"] += message["content"]
        else:
            messages.append(message)
    return out | {"messages": messages}


@by_name(RECORDED)
def test_a_recorded_request_is_written_as_it_was(exchange: Exchange) -> None:
    body, warnings = CLIENT.encode(read_request(exchange.request), exchange.target())
    assert json.loads(body) == normal(exchange.request)
    assert warnings == []


def encoded(*messages: Message, target: Target = CLAUDE, **members: Any) -> tuple[dict[str, Any], list[str]]:
    body, warnings = CLIENT.encode(Request(models=("m",), messages=messages, **members), target)
    return json.loads(body), [f"{warning.code} {warning.path}" for warning in warnings]


def user(*parts: AnyPart | str) -> Message:
    return Message(role=Role.USER, parts=tuple(Text(text=part) if isinstance(part, str) else part for part in parts))


def assistant(*parts: AnyPart | str) -> Message:
    return Message(
        role=Role.ASSISTANT, parts=tuple(Text(text=part) if isinstance(part, str) else part for part in parts)
    )


def system(text: str, role: Role = Role.SYSTEM) -> Message:
    return Message(role=role, parts=(Text(text=text),))


def result(call_id: str, *parts: AnyPart, **rest: Any) -> Message:
    return Message(role=Role.TOOL, parts=(ToolResult(call_id=call_id, parts=parts, **rest),))


CALL = ToolCall(call_id="t1", name="f", arguments='{"a": 1.0, "b":"ü"}')
TOOL = Tool(name="f", description="d", schema=Raw(b'{"type":"object"}'))


def test_the_model_stands_in_the_path_as_one_segment() -> None:
    arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.x-v1:0"
    target = Target(model=arn, vendor="v")
    path = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x-v1%3A0"
    assert CLIENT.path(target, False) == f"/model/{path}/converse"
    assert CLIENT.path(target, True) == f"/model/{path}/converse-stream"


def test_turns_alternate_and_results_go_with_the_user() -> None:
    body, warnings = encoded(
        system("be kind"),
        system("be brief", Role.DEVELOPER),
        user("hi"),
        user("there"),
        assistant("yes", CALL, ToolCall(call_id="t2", name="f", arguments="")),
        result("t1", Text(text="one")),
        result("t2", Text(text="two"), failed=True),
        user("go on"),
        tools=(TOOL,),
    )
    assert warnings == []
    assert body["system"] == [{"text": "be kind"}, {"text": "be brief"}]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][0]["content"] == [{"text": "hi"}, {"text": "there"}]
    assert body["messages"][1]["content"][2] == {"toolUse": {"toolUseId": "t2", "name": "f", "input": {}}}
    assert body["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "one"}]}},
        {"toolResult": {"toolUseId": "t2", "content": [{"text": "two"}], "status": "error"}},
        {"text": "go on"},
    ]


def test_arguments_and_schemas_are_the_bytes_they_were() -> None:
    body, _ = CLIENT.encode(
        Request(models=("m",), messages=(user("x"), assistant(CALL), result("t1")), tools=(TOOL,)), CLAUDE
    )
    assert '{"a": 1.0, "b":"ü"}'.encode() in body
    assert b'{"json":{"type":"object"}}' in body


@pytest.mark.parametrize(
    ("text", "sent"), [("", {}), ("null", {}), ("[1]", {"input": [1]}), ("{oops", {"input": "{oops"}), ("{}", {})]
)
def test_arguments_that_are_no_object_are_put_into_one(text: str, sent: Any) -> None:
    call = ToolCall(call_id="t", name="f", arguments=text)
    body, warnings = encoded(user("x"), assistant(call), result("t"), tools=(TOOL,))
    assert body["messages"][1]["content"][0]["toolUse"]["input"] == sent
    assert bool(warnings) is (text not in ("", "{}"))


def test_tools_used_before_are_declared_again() -> None:
    body, warnings = encoded(user("x"), assistant(CALL), result("t1", Text(text="1")))
    assert [one["toolSpec"]["name"] for one in body["toolConfig"]["tools"]] == ["f"]
    assert warnings == ["parameter_changed $.tools"]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        (ToolChoice(ToolMode.AUTO), {"auto": {}}),
        (ToolChoice(ToolMode.REQUIRED), {"any": {}}),
        (ToolChoice(ToolMode.NAMED, ("f",)), {"tool": {"name": "f"}}),
        (ToolChoice(ToolMode.NAMED, ("f", "g")), {"any": {}}),
    ],
)
def test_tool_choices(choice: ToolChoice | None, sent: Any) -> None:
    body, _ = encoded(user("x"), tools=(TOOL,), tool_choice=choice)
    assert body["toolConfig"].get("toolChoice") == sent


def test_no_tools_wanted() -> None:
    none = ToolChoice(ToolMode.NONE)
    body, warnings = encoded(user("x"), tools=(TOOL,), tool_choice=none)
    assert "toolConfig" not in body and warnings == []
    body, warnings = encoded(user("x"), assistant(CALL), result("t1"), tools=(TOOL,), tool_choice=none)
    assert "toolConfig" in body and warnings == ["parameter_changed $.tool_choice"]


def test_choices_a_model_does_not_take() -> None:
    for option, sent in (("tool_choice_auto_only", {"auto": {}}), ("no_tool_choice", None)):
        target = Target(model="m", vendor="v", options=frozenset((option,)))
        body, warnings = encoded(user("x"), tools=(TOOL,), tool_choice=ToolChoice(ToolMode.REQUIRED), target=target)
        assert body["toolConfig"].get("toolChoice") == sent
        assert len(warnings) == 1


def test_tools_of_other_forms() -> None:
    server = Tool(name="web", form="server", extras={"openai_chat": {"definition": Raw(b'{"type":"web"}')}})
    custom = Tool(name="c", form="custom")
    body, warnings = encoded(user("x"), tools=(server, custom, Tool(name="n", strict=True)))
    specs = [one["toolSpec"] for one in body["toolConfig"]["tools"]]
    assert [spec["name"] for spec in specs] == ["c", "n"]
    assert specs[0]["inputSchema"]["json"]["required"] == ["input"]
    assert specs[1]["strict"] is True
    assert {"unsupported $.tools[0]", "parameter_changed $.tools[1]"} <= set(warnings)


def test_cache_marks_become_cache_points() -> None:
    hour = CacheMark("1h")
    body, warnings = encoded(
        Message(role=Role.SYSTEM, parts=(Text(text="s", cache=hour),)),
        user(Text(text="a", cache=CacheMark()), "b"),
        tools=(Tool(name="f", cache=hour), Tool(name="g")),
        cache=CacheMark(),
    )
    point, long = {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert warnings == []
    assert body["system"] == [{"text": "s"}, long]
    assert body["messages"][0]["content"] == [{"text": "a"}, point, {"text": "b"}, point]
    assert body["toolConfig"]["tools"][1] == long


def test_more_than_four_cache_marks_keep_the_first_and_the_last_three() -> None:
    marked = [user(Text(text=str(number), cache=CacheMark())) for number in range(6)]
    body, warnings = encoded(*marked)
    kinds = ["cachePoint" in block for block in body["messages"][0]["content"]]
    assert kinds == [False, True, False, False, False, True, False, True, False, True]
    assert warnings == ["parameter_changed $.messages"]


def test_an_hour_after_five_minutes_is_five_minutes() -> None:
    body, warnings = encoded(
        user(
            Text(text="a", cache=CacheMark("1h")),
            Text(text="b", cache=CacheMark()),
            Text(text="c", cache=CacheMark("1h")),
        )
    )
    points = [block["cachePoint"].get("ttl") for block in body["messages"][0]["content"] if "cachePoint" in block]
    assert points == ["1h", None, None]
    assert warnings == ["parameter_changed $.messages"]


def test_thinking_is_off_where_the_beginning_is_given() -> None:
    body, warnings = encoded(user("x"), assistant("The answer is"), reasoning=ReasoningWish(effort="low"))
    assert "additionalModelRequestFields" not in body
    assert warnings == ["parameter_changed $.reasoning"]


def test_cache_marks_that_are_not_taken_are_said() -> None:
    target = Target(model="m", vendor="v", options=frozenset(("no_cache_points",)))
    body, warnings = encoded(user(Text(text="a", cache=CacheMark())), target=target)
    assert body["messages"][0]["content"] == [{"text": "a"}]
    assert warnings == ["unsupported $.messages[0].content[0].cache_control"]


def test_images_documents_and_their_names() -> None:
    pdf = Inline("JVBERi0=")
    body, warnings = encoded(
        user(
            "see",
            Media(family="image", media_type="image/jpg", source=Inline("aGk=")),
            Media(family="file", media_type="application/pdf", source=pdf, filename="../Ünder_the  sea (1).pdf"),
            Media(family="file", media_type="application/pdf", source=pdf, filename="der the sea (1).pdf"),
            Media(family="file", media_type="text/x-python", source=pdf),
            Media(family="video", media_type="video/quicktime", source=Url("s3://b/k.mov")),
            Media(family="audio", media_type="audio/wav", source=Inline("UklG")),
        )
    )
    assert warnings == []
    blocks = body["messages"][0]["content"][1:]
    assert blocks[0] == {"image": {"format": "jpeg", "source": {"bytes": "aGk="}}}
    assert [block["document"]["name"] for block in blocks[1:4]] == [
        "nder the sea (1)", "der the sea (1)", "document",
    ]  # fmt: skip
    assert [block["document"]["format"] for block in blocks[1:4]] == ["pdf", "pdf", "txt"]
    assert blocks[4] == {"video": {"format": "mov", "source": {"s3Location": {"uri": "s3://b/k.mov"}}}}
    assert blocks[5] == {"audio": {"format": "wav", "source": {"bytes": "UklG"}}}


def test_names_of_documents_differ() -> None:
    one = Media(family="file", media_type="text/plain", source=Inline("aA=="), filename="a.txt")
    body, _ = encoded(user("x", one, one), assistant("y"), user("z", one))
    names = [
        block["document"]["name"] for message in body["messages"] for block in message["content"] if "document" in block
    ]
    assert names == ["a", "a 2", "a 3"]


def test_a_document_has_text_beside_it() -> None:
    body, warnings = encoded(user(Media(family="file", media_type="application/pdf", source=Inline("aA=="))))
    assert body["messages"][0]["content"][-1] == {"text": "."}
    assert len(warnings) == 1


@pytest.mark.parametrize("source", [Url("https://example.com/a.png"), FileId("file-1")])
def test_media_by_address_go_to_another_provider(source: Any) -> None:
    with pytest.raises(VendorUnsupported) as caught:
        encoded(user(Media(family="image", source=source)))
    assert caught.value.path == "$.messages[0].content[0]"


def test_images_in_tool_results() -> None:
    image = Media(family="image", media_type="image/png", source=Inline("aGk="))
    body, warnings = encoded(user("x"), assistant(CALL), result("t1", Text(text="see"), image), tools=(TOOL,))
    content = body["messages"][2]["content"][0]["toolResult"]["content"]
    assert content == [{"text": "see"}, {"image": {"format": "png", "source": {"bytes": "aGk="}}}]
    assert warnings == []


def test_sealed_reasoning_goes_back_byte_for_byte() -> None:
    redacted = "EqADCkYIBRgCKkBl"
    body, warnings = encoded(
        user("x"),
        assistant(
            Reasoning(text="hm ", seal=Seal("signature", "Ab+/="), origin=SEAL),
            Reasoning(seal=Seal("redacted", redacted), origin=SEAL),
            Reasoning(seal=Seal("encrypted", "blob:/wCA"), origin=Origin("openai_chat", format="anthropic-claude-v1")),
            "y",
        ),
        user("z"),
    )
    assert warnings == []
    assert body["messages"][1]["content"][:3] == [
        {"reasoningContent": {"reasoningText": {"text": "hm ", "signature": "Ab+/="}}},
        {"reasoningContent": {"redactedContent": base64.b64encode(redacted.encode()).decode()}},
        {"reasoningContent": {"redactedContent": "/wCA"}},
    ]


def test_foreign_and_unsealed_reasoning_stays_out_with_a_word() -> None:
    foreign = Reasoning(text="t", seal=Seal("signature", "s"), origin=Origin("x", format="google-gemini-v1"))
    body, warnings = encoded(user("x"), assistant(foreign, Reasoning(text="bare"), "y"), user("z"))
    assert body["messages"][1]["content"] == [{"text": "y"}]
    assert [warning.split()[0] for warning in warnings] == ["seal_dropped", "reasoning_dropped", "reasoning_dropped"]


def test_unsigned_reasoning_goes_back_to_models_that_do_not_sign() -> None:
    thought = Reasoning(text="t", origin=Origin("openai_chat", format="bedrock-converse-v1"))
    body, warnings = encoded(user("x"), assistant(thought, "y"), user("z"), target=OTHER)
    assert body["messages"][1]["content"][0] == {"reasoningContent": {"reasoningText": {"text": "t"}}}
    assert warnings == []
    never = Target(model="m", vendor="v", reasoning_replay="never")
    body, warnings = encoded(user("x"), assistant(thought, "y"), user("z"), target=never)
    assert body["messages"][1]["content"] == [{"text": "y"}]
    assert len(warnings) == 1


def test_a_signed_tool_loop_through_a_chat_client_keeps_its_seals() -> None:
    (exchange,) = [
        item
        for item in exchanges("bedrock/bedrock.converse-*.json")
        if item.status == 200 and "extended-thinking" in item.name
    ]
    events, _ = CLIENT.whole(exchange.body, exchange.target())
    answer = json.loads(CHAT.whole(fold(events), envelope(), CHARGE))["choices"][0]["message"]
    back = {"model": "a/b", "messages": [{"role": "user", "content": "x"}, answer, {"role": "user", "content": "y"}]}
    request = CHAT.decode(CHAT.open(json.dumps(back).encode()))
    body, warnings = CLIENT.encode(request, exchange.target())
    recorded = json.loads(exchange.body)["output"]["message"]["content"]
    assert json.loads(body)["messages"][1]["content"] == recorded
    assert warnings == []


def wish(target: Target = CLAUDE, max_tokens: int | None = None, **members: Any) -> tuple[Any, list[str]]:
    body, warnings = encoded(
        user("x"), reasoning=ReasoningWish(**members), limits=OutputLimits(max_tokens=max_tokens), target=target
    )
    return body.get("additionalModelRequestFields"), warnings


def test_wishes_to_think() -> None:
    assert wish(max_tokens=20_000, effort="high")[0] == {"thinking": {"type": "enabled", "budget_tokens": 16_000}}
    assert wish(enabled=True)[0]["thinking"]["budget_tokens"] == 16_000
    assert wish(effort="none")[0] == {"thinking": {"type": "disabled"}}
    assert wish(exclude=True)[0] is None
    assert wish(max_tokens=1000, effort="low") == (None, ["parameter_dropped $.reasoning"])
    assert wish(max_tokens=1500, effort="max")[0]["thinking"]["budget_tokens"] == 1425
    adaptive = Target(model=CLAUDE.model, vendor="v", reasoning_wish="adaptive")
    assert wish(adaptive, effort="minimal")[0] == {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
    assert wish(adaptive, enabled=False)[0] == {"thinking": {"type": "disabled"}}
    nova = Target(model="us.amazon.nova-2-lite-v1:0", vendor="v")
    assert wish(nova, effort="xhigh")[0] == {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}
    assert wish(nova, enabled=False)[0] == {"reasoningConfig": {"type": "disabled"}}
    oss = Target(model="openai.gpt-oss-120b-1:0", vendor="v")
    assert wish(oss, effort="minimal")[0] == {"reasoning_effort": "low"}
    assert wish(oss, effort="none") == ({"reasoning_effort": "low"}, ["parameter_changed $.reasoning"])
    word = Target(model="m", vendor="v", reasoning_wish="reasoning_config")
    assert wish(word, effort="high")[0] == {"reasoning_config": "high"}
    assert wish(OTHER, effort="high") == (None, ["parameter_dropped $.reasoning"])
    assert wish(OTHER, effort="none") == (None, [])


def test_a_budget_is_told_if_it_was_changed() -> None:
    body, warnings = encoded(user("x"), reasoning=ReasoningWish(max_tokens=500), limits=OutputLimits(max_tokens=4000))
    assert body["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 1024
    assert warnings == ["parameter_changed $.reasoning.max_tokens"]


def test_thinking_takes_no_other_sampling_and_forces_no_tool() -> None:
    body, warnings = encoded(
        user("x"),
        reasoning=ReasoningWish(effort="low"),
        sampling=Sampling(temperature=0.2, top_p=0.5, top_k=3),
        tools=(TOOL,),
        tool_choice=ToolChoice(ToolMode.REQUIRED),
    )
    assert "inferenceConfig" not in body
    assert set(body["additionalModelRequestFields"]) == {"thinking"}
    assert body["toolConfig"]["toolChoice"] == {"auto": {}}
    assert len(warnings) == 4


def test_thinking_is_off_in_a_turn_whose_reasoning_is_missing() -> None:
    body, warnings = encoded(
        user("x"), assistant(CALL), result("t1"), tools=(TOOL,), reasoning=ReasoningWish(effort="low")
    )
    assert "additionalModelRequestFields" not in body
    assert warnings == ["parameter_changed $.reasoning"]
    sealed = Reasoning(text="t", seal=Seal("signature", "s"), origin=SEAL)
    body, warnings = encoded(
        user("x"), assistant(sealed, CALL), result("t1"), tools=(TOOL,), reasoning=ReasoningWish(effort="low")
    )
    assert body["additionalModelRequestFields"]["thinking"]["type"] == "enabled"


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("anthropic.claude-x", {"top_k": 5}),
        ("amazon.nova-pro-v1:0", {"inferenceConfig": {"topK": 5}}),
        ("maker.model", None),
    ],
)
def test_top_k_has_a_place_for_each_family(model: str, sent: Any) -> None:
    body, warnings = encoded(user("x"), sampling=Sampling(top_k=5), target=Target(model=model, vendor="v"))
    assert body.get("additionalModelRequestFields") == sent
    assert bool(warnings) is (sent is None)
    body, _ = encoded(
        user("x"), sampling=Sampling(top_k=5), target=Target(model="m", vendor="v", settings={"top_k": "k"})
    )
    assert body["additionalModelRequestFields"] == {"k": 5}


def test_what_cannot_be_said_is_told() -> None:
    body, warnings = encoded(
        user("x"),
        sampling=Sampling(seed=1, frequency_penalty=0.5, logprobs=True, choices=2, min_p=0.1),
        limits=OutputLimits(verbosity="low", max_tokens=5, stop=("a", "b")),
        output=OutputFormat(form="json_object"),
        user="u",
        cache_key="k",
        parallel_tools=False,
        modalities=("text", "audio"),
        service_tier="flex",
        metadata={"a": "b"},
        extras={
            "openai_chat": {
                "plugins": Raw(b"[]"),
                "novelty": Raw(b"1"),
                "performanceConfig": Raw(b'{"latency":"optimized"}'),
            }
        },
    )
    assert body["performanceConfig"] == {"latency": "optimized"}
    assert body["inferenceConfig"] == {"maxTokens": 5, "stopSequences": ["a", "b"]}
    assert body["serviceTier"] == {"type": "flex"}
    assert body["requestMetadata"] == {"a": "b"}
    told = {warning.split("$.")[-1] for warning in warnings}
    assert told >= {
        "seed", "frequency_penalty", "logprobs", "n", "min_p", "verbosity", "response_format", "user", "prompt_cache_key",
        "parallel_tool_calls", "modalities", "novelty",
    }  # fmt: skip
    assert "plugins" not in told
    with pytest.raises(InvalidRequest) as caught:
        encoded(user("x"), extras={"openai_chat": {"additionalModelRequestFields": Raw(b"5")}})
    assert caught.value.path == "$.additionalModelRequestFields"


def test_a_later_system_message_is_the_users_and_a_first_turn_is_made() -> None:
    body, warnings = encoded(system("a"), user("b"), assistant("c"), system("d"))
    assert body["system"] == [{"text": "a"}]
    assert body["messages"][-1] == {"role": "user", "content": [{"text": "d"}]}
    assert warnings == ["parameter_changed $.messages[3]"]
    body, warnings = encoded(assistant("hello"))
    assert [message["role"] for message in body["messages"]] == ["user", "assistant"]
    body, warnings = encoded(system("only"))
    assert body["messages"] == [{"role": "user", "content": [{"text": "."}]}]
    assert warnings == ["parameter_changed $.messages"]


def test_empty_text_is_left_out() -> None:
    body, warnings = encoded(user("x"), assistant(""), user("", "y"))
    assert body["messages"] == [{"role": "user", "content": [{"text": "x"}, {"text": "y"}]}]
    assert len(warnings) == 1


def test_refusals_opaque_parts_and_the_targets_own_wishes() -> None:
    ours = Opaque(payload=Raw(b'{"guardContent":{"text":{"text":"x"}}}'), origin=Origin(NAME))
    theirs = Opaque(payload=Raw(b'{"type":"x"}'), origin=Origin("openai_chat"))
    target = Target(
        model="m",
        vendor="v",
        drop=frozenset(("temperature", "guardrailConfig")),
        rename={"system": "systemPrompt"},
        force={"performanceConfig": Raw(b'{"latency":"optimized"}')},
    )
    body, warnings = encoded(
        system("s"),
        user("x", ours, theirs),
        assistant(Refusal(text="no")),
        user("y"),
        sampling=Sampling(temperature=0.1),
        extras={NAME: {"guardrailConfig": Raw(b"{}"), "promptVariables": Raw(b'{"a":{"text":"b"}}')}},
        target=target,
    )
    assert body["messages"][0]["content"][1] == {"guardContent": {"text": {"text": "x"}}}
    assert body["messages"][1]["content"] == [{"text": "no"}]
    assert body["systemPrompt"] == [{"text": "s"}]
    assert body["performanceConfig"] == {"latency": "optimized"}
    assert body["promptVariables"] == {"a": {"text": "b"}}
    assert "guardrailConfig" not in body and "inferenceConfig" not in body
    assert len(warnings) == 3


def test_names_and_ids_that_the_service_does_not_allow_are_written_so_that_it_does() -> None:
    call = ToolCall(call_id="call_1|fc_2", name="files.read", arguments="{}")
    long = ToolCall(call_id="x" * 65, name="f", arguments="{}")
    body, warnings = encoded(
        user("x"),
        assistant(call, long),
        result("call_1|fc_2"),
        result("x" * 65),
        tools=(Tool(name="files.read"), Tool(name="f")),
        tool_choice=ToolChoice(ToolMode.NAMED, ("files.read",)),
    )
    name = body["toolConfig"]["tools"][0]["toolSpec"]["name"]
    assert name.replace("-", "").replace("_", "").isalnum()
    assert body["toolConfig"]["toolChoice"] == {"tool": {"name": name}}
    uses = [block["toolUse"] for block in body["messages"][1]["content"]]
    results = [block["toolResult"] for block in body["messages"][2]["content"]]
    assert uses[0]["name"] == name
    assert [use["toolUseId"] for use in uses] == [one["toolUseId"] for one in results]
    assert len({use["toolUseId"] for use in uses}) == 2
    assert all(len(use["toolUseId"]) <= 64 and "|" not in use["toolUseId"] for use in uses)
    assert warnings == []
    answer = {"toolUse": {"toolUseId": "t", "name": name, "input": {}}}
    whole = {"output": {"message": {"role": "assistant", "content": [answer]}}, "stopReason": "tool_use"}
    (part,) = fold(CLIENT.whole(json.dumps(whole).encode(), CLAUDE)[0]).choices[0].parts
    assert isinstance(part, ToolCall) and part.name == "files.read"


def test_schemas_that_must_hold_are_closed() -> None:
    loose = Raw(b'{"type":"object","properties":{"a":{"type":"integer"}}}')
    body, warnings = encoded(
        user("x"),
        tools=(Tool(name="f", schema=loose, strict=True),),
        output=OutputFormat(form="json_schema", schema=loose),
    )
    assert body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]["additionalProperties"] is False
    schema = json.loads(body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"])
    assert schema["additionalProperties"] is False
    assert len(warnings) == 2
