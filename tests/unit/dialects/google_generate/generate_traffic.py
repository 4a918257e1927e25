"""Owns reading the recorded generateContent traffic and what two requests or answers mean when compared; refuses the insides
of the code under test.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from farebox.dialects.ports import Envelope, Target

ROOT = Path(__file__).parents[3] / "wire"
APIS = ("generateContent", "streamGenerateContent")
# Recorded under the name of an answer, but it creates a cache.
NO_ANSWER = ("google/google.generateContent-use-cache-with-text-1",)


class Exchange(NamedTuple):
    name: str
    api: str
    model: str
    request: Any
    status: int
    body: bytes

    @property
    def streamed(self) -> bool:
        return self.api.endswith("streamGenerateContent")

    def target(self) -> Target:
        return Target(model=self.model, vendor="v", options=frozenset(("no_signature_stand_in", "service_tier")))


def envelope(choices: int = 1) -> Envelope:
    return Envelope(id="gen-1", model="author/model", provider="Provider", created_s=9, choices=choices)


@cache
def exchanges(*apis: str) -> tuple[Exchange, ...]:
    found = []
    for vendor in ("google", "vertex"):
        for path in sorted((ROOT / vendor).glob("*.json")):
            data = json.loads(path.read_bytes())
            name = f"{vendor}/{path.stem}"
            if data["api"].removeprefix(f"{vendor}.") not in (apis or APIS) or name in NO_ANSWER:
                continue
            response = data["response"]
            found.append(
                Exchange(
                    name,
                    data["api"],
                    data["model"] or "gemini-2.5-flash",
                    data["request"]["body"],
                    response["status"],
                    response["body"].encode(),
                )
            )
    return tuple(found)


def answers() -> list[Exchange]:
    return [exchange for exchange in exchanges() if exchange.status < 400]


def refusals() -> list[Exchange]:
    return [exchange for exchange in exchanges() if exchange.status >= 400]


def requests() -> list[Exchange]:
    return [exchange for exchange in exchanges() if isinstance(exchange.request, dict)]


def documents(body: bytes) -> list[dict[str, Any]]:
    """The JSON documents of a recorded answer, by a reader of its own."""
    text = body.decode()
    if text.lstrip().startswith("data:"):
        return [json.loads(line[5:]) for line in text.split("\n") if line.startswith("data:")]
    value = json.loads(text)
    return value if isinstance(value, list) else [value]


def usage_of(body: bytes) -> dict[str, Any]:
    """The last usage with totals."""
    found = [one["usageMetadata"] for one in documents(body) if "totalTokenCount" in one.get("usageMetadata", {})]
    return found[-1] if found else {}


_DATA = ("args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            _camel(name): inner if _camel(name) in _DATA else _spelled(inner)
            for name, inner in value.items()
            if inner is not None
        }
    return [_spelled(item) for item in value] if isinstance(value, list) else value


def normal(request: dict[str, Any]) -> dict[str, Any]:
    """A request without what `NOTES.md` says may differ."""
    out = _spelled(request)
    out.pop("model", None)
    out["contents"] = _contents(out["contents"])
    system = out.pop("systemInstruction", None)
    if system is not None:
        parts = [{"text": system}] if isinstance(system, str) else system["parts"]
        parts = [parts] if isinstance(parts, dict) else parts
        kept = [part for part in map(_said, parts) if part != {"text": ""}] or parts
        out["systemInstruction"] = {"parts": kept}
    out["tools"] = _tools(out.get("tools") or [])
    config = out.pop("generationConfig", {})
    if config.get("candidateCount") == 1:
        del config["candidateCount"]
    out["generationConfig"] = {name: value for name, value in config.items() if value not in ([], {})}
    return {name: value for name, value in out.items() if value not in ([], {})}


def _said(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if not (name == "thought" and value is False)}


def _contents(contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for content in contents:
        role = "model" if content.get("role") == "model" else "user"
        parts = []
        given = content["parts"]
        for part in map(_said, [given] if isinstance(given, dict) else given):
            if part != {"text": ""}:
                parts.append(part)
        if not parts:
            continue
        if not out or out[-1]["role"] != role:
            out.append({"role": role, "parts": []})
        for part in parts:
            last = out[-1]["parts"][-1] if out[-1]["parts"] else {}
            if role == "model" and part.keys() == last.keys() == {"text"}:
                out[-1]["parts"][-1] = {"text": last["text"] + part["text"]}
            else:
                out[-1]["parts"].append(part)
    return out


def _tools(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    functions = [one for tool in tools for one in tool.get("functionDeclarations") or []]
    functions = [{name: value for name, value in one.items() if value not in ("", {})} for one in functions]
    others = [{name: value} for tool in tools for name, value in tool.items() if name != "functionDeclarations"]
    return ([{"functionDeclarations": functions}] if functions else []) + others


def told(body: bytes) -> dict[str, Any]:
    """What a client has after an answer of ours: texts joined unless signed, the last of the rest."""
    out: dict[str, Any] = {"choices": {}}
    for document in documents(body):
        for name, value in document.items():
            if name == "candidates":
                for candidate in value:
                    _merge(out["choices"].setdefault(candidate.get("index", 0), {"parts": []}), candidate)
            else:
                out[name] = value
    return out


def _merge(into: dict[str, Any], candidate: dict[str, Any]) -> None:
    for part in map(_said, (candidate.get("content") or {}).get("parts") or ()):
        last = into["parts"][-1] if into["parts"] else {}
        if part == {"text": ""}:
            continue
        if part.keys() == last.keys() and part.keys() in ({"text"}, {"text", "thought"}):
            last["text"] += part["text"]
        else:
            into["parts"].append(dict(part))
    for name, value in candidate.items():
        if name not in ("content", "index") and value:
            into[name] = value
