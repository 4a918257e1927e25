"""Owns crossings between generateContent and chat: answers both ways, requests both ways, tool loops with signatures."""

import json
from itertools import pairwise
from typing import Any

import pytest

from farebox.dialects.google_generate.halves import GenerateClient, GenerateServer
from farebox.dialects.google_generate.seals import STAND_IN
from farebox.dialects.openai_chat.halves import ChatClient, ChatServer
from farebox.dialects.ports import Envelope, Target
from farebox.ir.errors import FareboxError
from farebox.ir.events import (
    ChoiceEnded,
    Event,
    Finished,
    FinishReason,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    Started,
    TextDelta,
)
from farebox.ir.fold import fold
from farebox.ir.request import Origin, Reasoning, Seal, Text
from farebox.money.charges import Charge
from tests.unit.dialects import traffic as chat_traffic
from tests.unit.dialects.google_generate.generate_traffic import Exchange, answers, documents, told, usage_of

CHAT, CHAT_VENDOR = ChatServer(), ChatClient()
SERVER, CLIENT = GenerateServer(), GenerateClient()
TARGET = Target(model="gemini-2.5-flash", vendor="v")
THREE = Target(model="gemini-3-pro-preview", vendor="v")
CHARGE = Charge(vendor_nano=1500, total_nano=1575, toll_nano=75)


def envelope(choices: int = 1) -> Envelope:
    return Envelope(id="gen-1", model="author/model", provider="Provider", created_s=9, choices=choices)


def from_chat(body: dict[str, Any], target: Target = TARGET) -> tuple[dict[str, Any], list[str]]:
    out, warnings = CLIENT.encode(CHAT.decode(CHAT.open(json.dumps({"model": "a/b"} | body).encode())), target)
    return json.loads(out), [f"{warning.code} {warning.path}" for warning in warnings]


def to_chat(body: dict[str, Any], target: Target | None = None) -> tuple[dict[str, Any], list[str]]:
    opened = SERVER.with_path(SERVER.open(json.dumps(body).encode()), "a/b", stream=False)
    target = target or Target(model="m", vendor="v", options=frozenset(("reasoning_details",)))
    out, warnings = CHAT_VENDOR.encode(SERVER.decode(opened), target)
    return json.loads(out), [f"{warning.code} {warning.path}" for warning in warnings]


def asked(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages)} | more


def said(exchange: Exchange) -> dict[str, Any]:
    """What the recording says, read without the code under test."""
    texts, thoughts, seals, calls = "", "", [], []
    for document in documents(exchange.body):
        for candidate in document.get("candidates", ()):
            for part in (candidate.get("content") or {}).get("parts") or ():
                if candidate.get("index", 0):
                    continue
                if part.get("thought"):
                    thoughts += part.get("text", "")
                elif "text" in part:
                    texts += part["text"]
                if "functionCall" in part and part["functionCall"].get("name"):
                    calls.append(part["functionCall"]["name"])
                if "thoughtSignature" in part and part.keys() & {"text", "functionCall", "inlineData"}:
                    seals.append(part["thoughtSignature"])
    return {"texts": texts, "thoughts": thoughts, "seals": seals, "calls": calls}


@pytest.mark.parametrize("exchange", answers(), ids=lambda exchange: exchange.name)
def test_a_chat_client_hears_all_of_a_recorded_answer(exchange: Exchange) -> None:
    wanted = said(exchange)
    if exchange.streamed:
        decoder, encoder = CLIENT.stream(TARGET), CHAT.stream(envelope())
        out = encoder.feed(decoder.feed(exchange.body)) + encoder.feed(decoder.close()) + encoder.finish(CHARGE)
        heard = chat_traffic.merged(out)
        usage, choice = heard["usage"], heard["choices"].get(0, {})
        calls = [call["name"] for call in choice.get("calls", {}).values()]
        arguments = [call["arguments"] for call in choice.get("calls", {}).values()]
        seals = [signature or data for signature, data, _ in choice.get("sealed", [])]
        assert all(word == "google-gemini-v1" for _, _, word in choice.get("sealed", []))
        text, thought = choice.get("content", ""), choice.get("reasoning", "")
    else:
        events, outcome = CLIENT.whole(exchange.body, TARGET)
        body = json.loads(CHAT.whole(fold(events), envelope(), CHARGE))
        message, usage = body["choices"][0]["message"], body["usage"]
        assert body["choices"][0]["finish_reason"] == outcome.finish
        calls = [call["function"]["name"] for call in message.get("tool_calls", [])]
        arguments = [call["function"]["arguments"] for call in message.get("tool_calls", [])]
        details = [one for one in message.get("reasoning_details", []) if one.get("data") or one.get("signature")]
        seals = [one.get("data") or one.get("signature") for one in details]
        text, thought = message["content"] or "", message.get("reasoning", "")
    assert (text, thought, calls, seals) == (wanted["texts"], wanted["thoughts"], wanted["calls"], wanted["seals"])
    assert all(isinstance(json.loads(one), dict) for one in arguments)
    get = usage_of(exchange.body).get
    assert usage["prompt_tokens"] == get("promptTokenCount", 0) + get("toolUsePromptTokenCount", 0)
    assert usage["completion_tokens"] == get("candidatesTokenCount", 0) + get("thoughtsTokenCount", 0)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == get("thoughtsTokenCount", 0)
    assert usage["prompt_tokens_details"]["cached_tokens"] == get("cachedContentTokenCount", 0)


@pytest.mark.parametrize("exchange", chat_traffic.answers(), ids=lambda exchange: exchange.name)
def test_a_gemini_client_hears_all_of_a_recorded_chat_answer(exchange: Any) -> None:
    mine = exchange.envelope()
    if exchange.streamed:
        decoder, encoder = CHAT_VENDOR.stream(exchange.target()), SERVER.stream(mine)
        events = decoder.feed(exchange.body) + decoder.close()
        if decoder.outcome.error is not None:
            assert documents(encoder.fail(decoder.outcome.error, CHARGE))[0]["error"]["code"] >= 400
            return
        out = encoder.feed(events) + encoder.finish(CHARGE)
    else:
        try:
            events, _ = CHAT_VENDOR.whole(exchange.body, exchange.target())
        except FareboxError as error:
            assert json.loads(SERVER.error(error, "gen-1"))["error"]["code"] == error.status
            return
        out = SERVER.whole(fold(events), mine, CHARGE)
    response = fold(events)
    heard = told(out)
    for index, choice in enumerate(response.choices):
        parts = heard["choices"][index]["parts"]
        texts = "".join(part.text for part in choice.parts if isinstance(part, Text))
        assert "".join(part.get("text", "") for part in parts if not part.get("thought")).startswith(texts)
        calls = [part for part in parts if "functionCall" in part]
        assert len(calls) == sum(type(part).__name__ == "ToolCall" for part in choice.parts)
    if response.usage is not None:
        usage = heard["usageMetadata"]
        assert usage["promptTokenCount"] == response.usage.prompt_tokens()
        assert usage["totalTokenCount"] == response.usage.prompt_tokens() + response.usage.completion_tokens()


def common() -> list[Any]:
    """Recorded chat requests without the few that only their own vendor takes."""
    return [
        exchange
        for exchange in chat_traffic.requests()
        if exchange.request.get("tool_choice") != "any" and not isinstance(exchange.request.get("logprobs"), int)
    ]


@pytest.mark.parametrize("exchange", common(), ids=lambda exchange: exchange.name)
def test_a_recorded_chat_request_becomes_contents_that_alternate(exchange: Any) -> None:
    out, _ = from_chat({name: value for name, value in exchange.request.items() if name != "model"})
    roles = [content["role"] for content in out["contents"]]
    assert all(one != other for one, other in pairwise(roles))
    assert set(roles) <= {"user", "model"}
    assert all(content["parts"] for content in out["contents"])
    offered = [tool for tool in exchange.request.get("tools") or () if "function" in tool]
    written = [one for tool in out.get("tools", ()) for one in tool.get("functionDeclarations", ())]
    assert [one["name"] for one in written] == [tool["function"]["name"] for tool in offered]


def loop(vendor: Target, first: dict[str, Any], *, streamed: bool) -> list[dict[str, Any]]:
    """A turn of a vendor, heard by a chat client, answered and sent back: the model's content as the vendor sees it."""
    body = json.dumps(first).encode()
    if streamed:
        decoder, encoder = CLIENT.stream(vendor), CHAT.stream(envelope())
        heard = encoder.feed(decoder.feed(b"data: " + body + b"\r\n\r\n")) + encoder.feed(decoder.close())
        message = assembled(heard + encoder.finish(CHARGE))
    else:
        events, _ = CLIENT.whole(body, vendor)
        message = json.loads(CHAT.whole(fold(events), envelope(), CHARGE))["choices"][0]["message"]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": f"result {number}"}
        for number, call in enumerate(message["tool_calls"])
    ]
    out, warnings = from_chat(asked({"role": "user", "content": "Go"}, message, *results), vendor)
    assert warnings == []
    return out["contents"]


def assembled(stream: bytes) -> dict[str, Any]:
    """The message that a chat client makes of a stream, reasoning details in order."""
    message: dict[str, Any] = {"role": "assistant", "content": "", "reasoning_details": [], "tool_calls": []}
    for chunk in chat_traffic.chunks(stream):
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            message["reasoning_details"] += delta.get("reasoning_details") or []
            for call in delta.get("tool_calls") or ():
                if "id" in call:
                    message["tool_calls"].append({name: call[name] for name in ("id", "type", "function")})
    return message


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("ids", [False, True])
def test_a_tool_loop_brings_signatures_back_on_their_parts(streamed: bool, ids: bool) -> None:
    def call(name: str, number: int, **more: Any) -> dict[str, Any]:
        return {"functionCall": {"name": name, "args": {"n": number}} | ({"id": f"id{number}"} if ids else {})} | more

    parts = [
        {"text": "I should look.", "thought": True},
        {"text": "Looking.", "thoughtSignature": "VGV4dA=="},
        call("find", 1, thoughtSignature="Q2FsbCtvbmU/"),
        call("find", 2),
        call("open", 3, thoughtSignature="Q2FsbF90aHJlZQ"),
    ]
    first = {"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}], "responseId": "r"}
    contents = loop(THREE, first, streamed=streamed)
    assert contents[1] == {"role": "model", "parts": parts}
    names = ["find", "find", "open"]
    assert contents[2] == {
        "role": "user",
        "parts": [
            {
                "functionResponse": {"name": name, "response": {"output": f"result {at}"}}
                | ({"id": f"id{at + 1}"} if ids else {})
            }
            for at, name in enumerate(names)
        ],
    }


@pytest.mark.parametrize(
    "exchange", [one for one in answers() if b"functionCall" in one.body and not one.streamed], ids=lambda one: one.name
)
def test_recorded_calls_come_back_with_their_signatures(exchange: Exchange) -> None:
    recorded = documents(exchange.body)[0]
    parts = recorded["candidates"][0]["content"]["parts"]
    kept = [part for part in parts if part.keys() & {"text", "functionCall"} and part != {"text": ""}]
    back = loop(THREE, recorded, streamed=False)[1]["parts"]
    calls = [part for part in kept if "functionCall" in part]
    if not any("thoughtSignature" in part for part in calls):
        assert back[len(kept) - len(calls)].pop("thoughtSignature") == STAND_IN
    assert [part for part in back if "functionCall" in part] == calls


def test_a_history_of_another_model_gets_the_documented_stand_in() -> None:
    message = {"role": "assistant", "tool_calls": [
        {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "toolu_2", "type": "function", "function": {"name": "f", "arguments": ""}},
    ], "reasoning_details": [
        {"type": "reasoning.text", "text": "hm", "signature": "abc", "format": "anthropic-claude-v1", "index": 0},
    ]}  # fmt: skip
    out, warnings = from_chat(asked({"role": "user", "content": "Go"}, message), THREE)
    assert [part.get("thoughtSignature") for part in out["contents"][1]["parts"]] == [STAND_IN, None]
    assert warnings == ["seal_dropped $.messages[1]"]
    assert "thoughtSignature" not in from_chat(asked(message))[0]["contents"][0]["parts"][0]


def claude(redacted: bool = False) -> list[Event]:
    origin = Origin("anthropic_messages", format="anthropic-claude-v1")
    part = Reasoning(origin=origin, seal=Seal("redacted", "Enc=") if redacted else None)
    thought: list[Event] = [PartStarted(0, part)]
    if not redacted:
        thought += [ReasoningDelta(0, "Let me "), ReasoningDelta(0, "see."), SealDelta(0, Seal("signature", "S1g+/=="))]
    return [
        Started(), *thought, PartEnded(0), PartStarted(1, Text(text="")), TextDelta(1, "Yes"), PartEnded(1),
        ChoiceEnded(reason=FinishReason.STOP, raw_reason="end_turn"), Finished(),
    ]  # fmt: skip


@pytest.mark.parametrize("redacted", [False, True])
def test_a_foreign_seal_survives_a_gemini_client(redacted: bool) -> None:
    encoder = SERVER.stream(envelope())
    out = b"".join(encoder.feed([event]) for event in claude(redacted)) + encoder.finish(CHARGE)
    parts = [part for document in documents(out) for part in document["candidates"][0]["content"]["parts"]]
    # Google's own library keeps each chunk as a content of its own.
    model = [{"role": "model", "parts": [part]} for part in parts]
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}, *model]}
    opened = SERVER.with_path(SERVER.open(json.dumps(body).encode()), "a/b", stream=True)
    assert not opened.relayable
    assert len(SERVER.decode(opened).messages) == 2
    sealed = [part for part in SERVER.decode(opened).messages[1].parts if isinstance(part, Reasoning)]
    assert len(sealed) == 1
    assert sealed[0].origin is not None
    assert sealed[0].origin.format == "anthropic-claude-v1"
    wanted = Seal("redacted", "Enc=") if redacted else Seal("signature", "S1g+/==")
    assert (sealed[0].seal, sealed[0].text) == (wanted, "" if redacted else "Let me see.")
    told_google, warnings = CLIENT.encode(SERVER.decode(opened), THREE)
    assert b"thoughtSignature" not in told_google
    assert [warning.code for warning in warnings] == ["seal_dropped"]


def test_a_gemini_request_becomes_chat() -> None:
    body = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Look"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 2}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {}}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "maxOutputTokens": 9, "temperature": 0.5, "stopSequences": ["x"],
            "responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"},
        },
    }  # fmt: skip
    out, warnings = to_chat(body)
    system, user, model, result = out["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"][1]["image_url"]["url"] == "data:image/png;base64,AA=="
    call = model["tool_calls"][0]
    assert call["function"] == {"name": "f", "arguments": '{"a": 1}'}
    assert model["reasoning_details"][0]["data"] == "c2ln"
    assert model["reasoning_details"][0]["id"] == call["id"] == result["tool_call_id"]
    assert result["content"] == '{"r": 2}'
    assert out["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert (out["tool_choice"], out["max_tokens"], out["stop"]) == ("required", 9, "x")
    assert out["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert warnings == ["unsupported $.tools[0]"] * ("parameters" in body) or all(
        "unsupported" in one for one in warnings
    )


def test_a_chat_request_becomes_contents() -> None:
    out, warnings = from_chat(
        asked(
            {"role": "system", "content": "A"},
            {"role": "developer", "content": "B"},
            {"role": "user", "content": [
                {"type": "text", "text": "See", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://x.example/a/b.webp?c=d"}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
            ]},
            {"role": "user", "content": "And?"},
            {"role": "system", "content": "Late"},
            tools=[{"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object"}}}],
            tool_choice={"type": "function", "function": {"name": "f"}},
            parallel_tool_calls=False, logit_bias={"1": 2}, seed=4, n=2, max_tokens=5, top_k=3,
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        )
    )  # fmt: skip
    assert out["systemInstruction"] == {"parts": [{"text": "A"}, {"text": "B"}]}
    assert [content["role"] for content in out["contents"]] == ["user"]
    assert out["contents"][0]["parts"] == [
        {"text": "See"},
        {"fileData": {"mimeType": "image/webp", "fileUri": "https://x.example/a/b.webp?c=d"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "AA=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBE"}},
        {"text": "And?"},
        {"text": "Late"},
    ]
    assert out["tools"] == [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}]
    assert out["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}
    assert out["generationConfig"] == {
        "topK": 3, "seed": 4, "candidateCount": 2, "maxOutputTokens": 5,
        "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
    }  # fmt: skip
    assert sorted(warnings) == [
        "parameter_changed $.messages[4]",
        "parameter_dropped $.logit_bias",
        "parameter_dropped $.parallel_tool_calls",
        "parameter_dropped $.tools[0].function.strict",
        "unsupported $.cache_control",
    ]


@pytest.mark.parametrize(
    ("wish", "model", "wanted"),
    [
        ({"effort": "high"}, "gemini-2.5-flash", {"includeThoughts": True, "thinkingBudget": 25600}),
        ({"max_tokens": 4096}, "gemini-2.5-pro", {"includeThoughts": True, "thinkingBudget": 4096}),
        ({"enabled": True}, "gemini-2.5-pro", {"includeThoughts": True, "thinkingBudget": -1}),
        ({"effort": "none"}, "gemini-2.5-flash", {"thinkingBudget": 0}),
        ({"effort": "xhigh", "exclude": True}, "gemini-3-pro", {"includeThoughts": False, "thinkingLevel": "high"}),
        ({"effort": "none"}, "gemini-3.5-flash", {"thinkingLevel": "minimal"}),
        ({"max_tokens": 3000}, "gemini-3-pro", {"includeThoughts": True, "thinkingLevel": "minimal"}),
    ],
)
def test_the_wish_to_think(wish: dict[str, Any], model: str, wanted: dict[str, Any]) -> None:
    out, _ = from_chat(asked({"role": "user", "content": "Hi"}, reasoning=wish), Target(model=model, vendor="v"))
    assert out["generationConfig"]["thinkingConfig"] == wanted


def test_the_levels_that_a_model_takes() -> None:
    target = Target(model="gemini-3-pro", vendor="v", settings={"thinking_levels": "low,high"})
    out, _ = from_chat(asked({"role": "user", "content": "Hi"}, reasoning={"effort": "minimal"}), target)
    assert out["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "low"


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("plain", {"output": "plain"}),
        ('{"a": 1}', {"a": 1}),
        ("[1]", {"output": "[1]"}),
        ("{broken", {"output": "{broken"}),
        ("", {}),
    ],
)
def test_results_are_objects(content: str, wanted: Any) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "[2]"}}
    out, _ = from_chat(
        asked({"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "a", "content": content})
    )
    assert out["contents"][0]["parts"][0]["functionCall"] == {"name": "f", "args": {"arguments": [2]}, "id": "a"}
    assert out["contents"][1]["parts"][0]["functionResponse"] == {"name": "f", "response": wanted, "id": "a"}


def test_media_of_a_result_stand_where_the_model_takes_them() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    messages = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "a", "content": [image]}]
    blob = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    new, _ = from_chat(asked(*messages), THREE)
    assert new["contents"][1]["parts"][0]["functionResponse"]["parts"] == [blob]
    old, _ = from_chat(asked(*messages))
    assert old["contents"][1]["parts"][1] == blob


def test_the_history_of_googles_library_is_one_answer() -> None:
    chunks = [{"text": "Hel"}, {"text": "lo"}, {"text": "", "thoughtSignature": "c2lnbg=="}, {"text": ""}]
    body = {"contents": [{"role": "model", "parts": [part]} for part in chunks]}
    out, warnings = to_chat(body)
    assert [message["role"] for message in out["messages"]] == ["assistant"]
    assert out["messages"][0]["reasoning_details"][0]["data"] == "c2lnbg=="
    assert out["messages"][0]["content"] == "Hello"
    assert warnings == []
    opened = SERVER.with_path(SERVER.open(json.dumps(body).encode()), "a/b", stream=False)
    back = json.loads(CLIENT.encode(SERVER.decode(opened), THREE)[0])
    assert back["contents"] == [{"role": "model", "parts": [{"text": "Hello"}, chunks[2]]}]


def test_a_summary_beside_an_encrypted_thought_survives_a_gemini_client() -> None:
    origin = Origin("openai_responses", format="openai-responses-v1")
    events: list[Event] = [
        PartStarted(0, Reasoning(origin=origin)), ReasoningDelta(0, "In short", summary=True),
        SealDelta(0, Seal("encrypted", "gAAA", "rs_1")), PartEnded(0),
        ChoiceEnded(reason=FinishReason.STOP), Finished(),
    ]  # fmt: skip
    encoder = SERVER.stream(envelope())
    out = encoder.feed(events) + encoder.finish(CHARGE)
    parts = [part for document in documents(out) for part in document["candidates"][0]["content"]["parts"]]
    opened = SERVER.with_path(
        SERVER.open(json.dumps({"contents": [{"role": "model", "parts": parts}]}).encode()), "a/b", stream=False
    )
    part = SERVER.decode(opened).messages[0].parts[0]
    assert isinstance(part, Reasoning)
    assert (part.summary, part.text, part.seal) == ("In short", "", Seal("encrypted", "gAAA", "rs_1"))
