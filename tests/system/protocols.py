"""The protocols a client may speak: how each asks, and what each makes of an answer, by plain means. Refuses the product's
own readers.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from system.house import Answer

# Long enough that no recorded count of prompt tokens looks like a lie beside it.
ASKED = "How is the weather in Lisbon? " * 2_000
TOOL = "get_weather"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
MAX_TOKENS = 100_000


@dataclass
class Said:
    """What a client has in the end. `finish` is one of stop, length, tool_calls, content_filter."""

    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    finish: str = ""
    prompt: int = 0
    completion: int = 0


class Chat:
    path = "/v1/chat/completions"

    @staticmethod
    def ask(model: str, stream: bool) -> tuple[str, dict]:
        function = {"type": "function", "function": {"name": TOOL, "parameters": SCHEMA}}
        said = [{"role": "user", "content": ASKED}]
        return Chat.path, {"model": model, "messages": said, "tools": [function], "stream": stream}

    @staticmethod
    def read(answer: Answer) -> Said:
        if answer.headers["content-type"].startswith("application/json"):
            return Chat._whole(answer.json())
        said, calls = Said(), {}
        for event in answer.events():
            assert "error" not in event, event
            said.prompt, said.completion = _counted(event.get("usage"), "prompt_tokens", "completion_tokens", said)
            for choice in event["choices"]:
                delta = choice["delta"]
                said.text += delta.get("content") or ""
                said.text += delta.get("refusal") or ""
                said.reasoning += delta.get("reasoning") or ""
                said.finish = choice.get("finish_reason") or said.finish
                for call in delta.get("tool_calls") or ():
                    into = calls.setdefault(call["index"], ["", ""])
                    into[0] += call["function"].get("name") or ""
                    into[1] += call["function"].get("arguments") or ""
        said.calls = [(name, arguments_of(arguments)) for name, arguments in calls.values()]
        return said

    @staticmethod
    def _whole(answer: dict) -> Said:
        (choice,) = answer["choices"]
        message, usage = choice["message"], answer["usage"]
        functions = [call["function"] for call in message.get("tool_calls") or ()]
        return Said(
            (message["content"] or "") + (message.get("refusal") or ""),
            message.get("reasoning") or "",
            [(one["name"], arguments_of(one["arguments"])) for one in functions],
            choice["finish_reason"],
            usage["prompt_tokens"],
            usage["completion_tokens"],
        )


class Messages:
    finishes = {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "pause_turn": "stop",
        "max_tokens": "length",
        "tool_use": "tool_calls",
        "refusal": "content_filter",
    }

    @staticmethod
    def ask(model: str, stream: bool) -> tuple[str, dict]:
        tools = [{"name": TOOL, "input_schema": SCHEMA}]
        said = [{"role": "user", "content": ASKED}]
        body = {"model": model, "messages": said, "tools": tools, "max_tokens": MAX_TOKENS, "stream": stream}
        return "/v1/messages", body

    @staticmethod
    def read(answer: Answer) -> Said:
        if answer.headers["content-type"].startswith("application/json"):
            return Messages._of(answer.json())
        message: dict = {}
        for event in answer.events():
            assert event["type"] != "error", event
            match event["type"]:
                case "message_start":
                    message = event["message"]
                case "content_block_start":
                    assert event["index"] == len(message["content"])
                    message["content"].append({**event["content_block"], "json": ""})
                case "content_block_delta":
                    Messages._grow(message["content"][event["index"]], event["delta"])
                case "message_delta":
                    message |= event["delta"]
                    message["usage"] |= event["usage"]
        for block in message["content"]:
            if block["json"]:
                block["input"] = arguments_of(block["json"])
        return Messages._of(message)

    @staticmethod
    def _grow(block: dict, delta: dict) -> None:
        match delta["type"]:
            case "text_delta":
                block["text"] += delta["text"]
            case "thinking_delta":
                block["thinking"] += delta["thinking"]
            case "input_json_delta":
                block["json"] += delta["partial_json"]

    @staticmethod
    def _of(message: dict) -> Said:
        blocks, usage = message["content"], message["usage"]
        cached = (usage.get("cache_read_input_tokens") or 0) + (usage.get("cache_creation_input_tokens") or 0)
        return Said(
            "".join(block["text"] for block in blocks if block["type"] == "text"),
            "".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
            [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"],
            Messages.finishes[message["stop_reason"]],
            usage["input_tokens"] + cached,
            usage["output_tokens"],
        )


class Responses:
    @staticmethod
    def ask(model: str, stream: bool) -> tuple[str, dict]:
        tools = [{"type": "function", "name": TOOL, "parameters": SCHEMA, "strict": False}]
        return "/v1/responses", {"model": model, "input": ASKED, "tools": tools, "stream": stream}

    @staticmethod
    def read(answer: Answer) -> Said:
        if answer.headers["content-type"].startswith("application/json"):
            return Responses._of(answer.json())
        events = answer.events()
        last = events[-1]
        assert last["type"] in ("response.completed", "response.incomplete"), last
        said = Responses._of(last["response"])
        deltas = [e["delta"] for e in events if e["type"] in ("response.output_text.delta", "response.refusal.delta")]
        assert "".join(deltas) == said.text
        arguments = [e["arguments"] for e in events if e["type"] == "response.function_call_arguments.done"]
        assert [arguments_of(text) for text in arguments] == [given for _, given in said.calls]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        return said

    @staticmethod
    def _of(response: dict) -> Said:
        usage, items = response["usage"], response["output"]
        parts = [part for item in items if item["type"] == "message" for part in item["content"]]
        thoughts = [part for item in items if item["type"] == "reasoning" for part in item.get("content") or ()]
        summary = [part for item in items if item["type"] == "reasoning" for part in item.get("summary") or ()]
        calls = [item for item in items if item["type"] == "function_call"]
        short = (response.get("incomplete_details") or {}).get("reason")
        finish = {"max_output_tokens": "length", "content_filter": "content_filter"}.get(short, "stop")
        return Said(
            "".join(part.get("text", part.get("refusal")) for part in parts),
            "".join(part["text"] for part in (*summary, *thoughts)),
            [(call["name"], arguments_of(call["arguments"])) for call in calls],
            "tool_calls" if calls and finish == "stop" else finish,
            usage["input_tokens"],
            usage["output_tokens"],
        )


class Generate:
    finishes = {"STOP": "stop", "MAX_TOKENS": "length"}

    @staticmethod
    def ask(model: str, stream: bool) -> tuple[str, dict]:
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        tools = [{"functionDeclarations": [{"name": TOOL, "parameters": SCHEMA}]}]
        body = {"contents": [{"role": "user", "parts": [{"text": ASKED}]}], "tools": tools}
        body["generationConfig"] = {"thinkingConfig": {"includeThoughts": True}}
        return f"/v1beta/models/{model}:{verb}", body

    @staticmethod
    def read(answer: Answer) -> Said:
        whole = answer.headers["content-type"].startswith("application/json")
        said = Said()
        for event in [answer.json()] if whole else answer.events():
            assert "error" not in event, event
            usage = event.get("usageMetadata") or {}
            if "totalTokenCount" in usage:
                tool = usage.get("toolUsePromptTokenCount") or 0
                said.prompt = (usage.get("promptTokenCount") or 0) + tool
                said.completion = (usage.get("candidatesTokenCount") or 0) + (usage.get("thoughtsTokenCount") or 0)
                assert usage["totalTokenCount"] == said.prompt + said.completion
            if (event.get("promptFeedback") or {}).get("blockReason"):
                said.finish = "content_filter"
            for candidate in event.get("candidates") or ():
                Generate._add(said, candidate)
        if said.calls and said.finish == "stop":
            said.finish = "tool_calls"
        return said

    @staticmethod
    def _add(said: Said, candidate: dict) -> None:
        for part in (candidate.get("content") or {}).get("parts") or ():
            if "functionCall" in part:
                call = part["functionCall"]
                args = call.get("args") or {}
                # Arguments are an object here; text that a limit cut off stands inside one.
                said.calls.append((call["name"], args["arguments"] if args.keys() == {"arguments"} else args))
            elif part.get("thought"):
                said.reasoning += part.get("text", "")
            else:
                said.text += part.get("text", "")
        if reason := candidate.get("finishReason"):
            said.finish = Generate.finishes.get(reason, "content_filter")


def arguments_of(text: str) -> Any:
    """What a call's arguments say; the text itself if a limit cut it off."""
    try:
        return json.loads(text or "{}")
    except json.JSONDecodeError:
        return text


def _counted(usage: dict | None, prompt: str, completion: str, before: Said) -> tuple[int, int]:
    return (usage[prompt], usage[completion]) if usage else (before.prompt, before.completion)


PROTOCOLS = {"chat": Chat, "messages": Messages, "responses": Responses, "generate": Generate}
