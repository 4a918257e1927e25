"""The honest side of the scripted upstream: answers, orders, scenarios, the control door."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from farebox.sims import demo
from farebox.sims.answers.text import tokens
from farebox.sims.command import main
from farebox.sims.scenario import BadScenario, from_document, load
from farebox.sims.server import Setting
from farebox.sims.testing import Upstream, running

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 3},
        "unit": {"enum": ["c", "f"]},
        "days": {"type": "integer", "minimum": 2, "maximum": 4},
        "code": {"type": "string", "pattern": "^[A-Z]{3}-\\d{2}$"},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "$defs": {"tag": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
    "required": ["city", "unit", "days", "code", "tags", "note"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Upstream]:
    with running(time_scale=1000) as ready:
        yield ready


@pytest.fixture
def upstream(shared: Upstream) -> Upstream:
    shared.reset()
    return shared


@pytest.fixture
def client(upstream: Upstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.base_url, api_key="k", max_retries=0) as ready:
        yield ready


def user(text: str) -> list:
    return [{"role": "user", "content": text}]


def test_whole_and_stream_say_the_same(client: openai.OpenAI) -> None:
    asked = {"model": "m", "messages": user("Compare parrots with penguins")}
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert whole.usage.completion_tokens == len(tokens(whole.choices[0].message.content))
    assert "simulated" in whole.choices[0].message.content


def test_limits_stops_and_lengths(client: openai.OpenAI) -> None:
    create = client.chat.completions.create
    cut = create(model="m", messages=user("Tell me about rivers"), max_tokens=5)
    assert (cut.usage.completion_tokens, cut.choices[0].finish_reason) == (5, "length")
    stopped = create(model="m", messages=user("Say: one two three"), stop=["two"])
    assert stopped.choices[0].message.content == "one "
    assert create(model="m@n100", messages=user("rivers")).usage.completion_tokens == 100
    assert len(create(model="m", messages=user("rivers"), n=3).choices) == 3


def test_tools_in_parallel_with_valid_arguments(client: openai.OpenAI) -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
    asked = {"model": "m", "messages": user("What is the weather in both Paris and Rome?"), "tools": [tool]}
    choice = client.chat.completions.create(**asked).choices[0]
    assert choice.finish_reason == "tool_calls"
    cities = [json.loads(call.function.arguments)["city"] for call in choice.message.tool_calls]
    assert cities == ["Paris", "Rome"]
    one = client.chat.completions.create(**asked, parallel_tool_calls=False).choices[0]
    assert len(one.message.tool_calls) == 1
    assert client.chat.completions.create(**asked, tool_choice="none").choices[0].message.tool_calls is None
    answered = [*asked["messages"], choice.message, {"role": "tool", "tool_call_id": "x", "content": "sunny"}]
    done = client.chat.completions.create(model="m", messages=answered, tools=[tool])
    assert "sunny" in done.choices[0].message.content


def test_structured_output_is_valid(client: openai.OpenAI) -> None:
    shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    answer = client.chat.completions.create(model="m", messages=user("weather in Oslo"), response_format=shape)
    value = json.loads(answer.choices[0].message.content)
    assert set(value) == set(SCHEMA["properties"])
    assert len(value["city"]) >= 3
    assert value["unit"] in ("c", "f")
    assert value["days"] in (2, 3, 4)
    assert len(value["code"]) == 6
    assert value["code"][3] == "-"
    assert all(isinstance(tag["name"], str) for tag in value["tags"])


@pytest.mark.parametrize("spelling", ["reasoning_content", "reasoning", "think"])
def test_three_spellings_of_reasoning(client: openai.OpenAI, spelling: str) -> None:
    answer = client.chat.completions.create(model=f"m@reasoning={spelling}", messages=user("rivers"))
    message = answer.choices[0].message
    thoughts = message.content if spelling == "think" else getattr(message, spelling)
    assert "think" in thoughts
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0


def test_media_prefill_logprobs_and_cache(client: openai.OpenAI) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 4}}
    create = client.chat.completions.create
    seen = create(model="m", messages=[{"role": "user", "content": [{"type": "text", "text": "look"}, picture]}])
    assert "12 bytes (image/png" in seen.choices[0].message.content
    prefilled = [*user("Say: one two three"), {"role": "assistant", "content": "one two"}]
    assert create(model="m", messages=prefilled).choices[0].message.content == " three"
    probable = create(model="m", messages=user("Say: hello"), logprobs=True, top_logprobs=2).choices[0].logprobs
    assert [len(entry.top_logprobs) for entry in probable.content] == [2]
    long = user("word " * 2_000)
    assert create(model="m", messages=long).usage.prompt_tokens_details.cached_tokens == 0
    assert create(model="m", messages=long).usage.prompt_tokens_details.cached_tokens > 2_000


def test_other_operations(client: openai.OpenAI) -> None:
    text = client.completions.create(model="m", prompt="Say: hello", stream=True)
    assert "".join(chunk.choices[0].text for chunk in text) == "hello"
    vectors = client.embeddings.create(model="m", input=["one", "two"], dimensions=8).data
    assert len(vectors[0].embedding) == 8
    assert vectors[0].embedding != vectors[1].embedding
    assert sum(number**2 for number in vectors[0].embedding) == pytest.approx(1, abs=1e-3)
    assert "sim-chat" in [model.id for model in client.models.list()]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="m", messages=[])
    with pytest.raises(openai.BadRequestError, match="no fault"):
        client.chat.completions.create(model="m", messages=user("x"), extra_headers={"X-Sim": "fault=F99"})


def test_orders_by_header_win_over_model_path_and_rule(upstream: Upstream) -> None:
    upstream.script({"do": "fault=F15;retry_after=1"})

    def status(path: str, model: str, **headers: str) -> int:
        with openai.OpenAI(base_url=path, api_key="k", max_retries=0, default_headers=headers) as client:
            try:
                client.chat.completions.create(model=model, messages=user("x"))
            except openai.APIStatusError as refusal:
                return refusal.status_code
        return 200

    assert status(upstream.base_url, "m") == 500
    assert status(upstream.path("f8"), "m") == 402
    assert status(upstream.path("alpha", "f8"), "m@f11") == 408
    assert status(upstream.path("f8"), "sim/f11", **{"X-Sim": "F12"}) == 413
    assert status(upstream.path("f8"), "m", **{"X-Sim": "fault=none"}) == 200
    assert [r["scope"] for r in upstream.requests()] == ["", "", "alpha", "", ""]


def test_rules_count_and_chance_is_seeded() -> None:
    def pattern(rule: dict, seed: int = 1) -> str:
        with running(scenario={"seed": seed, "rule": [rule]}) as up:
            for _ in range(8):
                try:
                    urllib.request.urlopen(up.base_url + "/models").close()
                except urllib.error.HTTPError as refusal:
                    refusal.close()
            return "".join("x" if r["fault"] else "." for r in up.requests())

    assert pattern({"match": {"nth": [2, 5]}, "do": "F15"}) == ".x..x..."
    assert pattern({"match": {"every": 3}, "do": "F15"}) == "..x..x.."
    assert pattern({"match": {"first": 2}, "do": "F15"}) == "xx......"
    half = {"match": {"chance": 0.5}, "do": "F15"}
    assert pattern(half) == pattern(half)
    assert len({pattern(half, seed) for seed in range(4)}) > 1


@pytest.mark.parametrize(
    "document",
    [{"rules": []}, {"rule": [{"match": {}}]}, {"rule": [{"do": "fault=f1x"}]}, {"rule": [{"match": {"nth": 0}, "do": ""}]},
     {"rule": [{"match": {"colour": 1}, "do": ""}]}, {"rule": [{"do": "speed=1"}]}],
)  # fmt: skip
def test_bad_scenarios_are_refused(document: dict) -> None:
    with pytest.raises(BadScenario):
        from_document(document)


def test_scenario_files(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('seed = 3\n[[rule]]\nmatch = { model = "m" }\ndo = "F13"\n')
    assert load(file).rules[0].model == "m"
    file.write_text("not toml")
    with pytest.raises(BadScenario, match=r"rules\.toml"):
        load(file)


def test_a_key_may_be_required() -> None:
    with running(key="right") as up:
        openai.OpenAI(base_url=up.base_url, api_key="right").models.list()
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=up.base_url, api_key="wrong").models.list()


def test_leaving_a_stream_stops_it(upstream: Upstream) -> None:
    body = json.dumps({"model": "m", "messages": user("x"), "stream": True}).encode()
    head = f"POST /d100000n1000/v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((upstream.host, upstream.port)) as sock:
        sock.sendall(head.encode() + body)
        assert sock.recv(100)
    assert upstream.until(lambda u: u.requests()[-1]["outcome"] == "client left")
    line = next(c for c in upstream.connections() if c["number"] == upstream.requests()[-1]["connection"])
    assert line["bytes_after_close"] == 0


def test_chunked_bodies_expectations_and_nonsense(upstream: Upstream) -> None:
    def exchange(data: bytes) -> bytes:
        with socket.create_connection((upstream.host, upstream.port), timeout=5) as sock:
            sock.sendall(data)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    body = json.dumps({"model": "m", "messages": user("Say: hello")}).encode()
    start = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
    answer = exchange(start + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    assert b"hello" in answer
    assert exchange(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_the_demonstration_is_marked_and_consistent() -> None:
    slugs = {model["slug"] for model in demo.MODELS}
    assert all(slug.startswith("simulated/") for slug in slugs)
    assert all("imulated" in entry["name"] for entry in (*demo.MODELS, *demo.PROVIDERS))
    assert {endpoint["model"] for endpoint in demo.ENDPOINTS} == slugs
    assert {endpoint["provider"] for endpoint in demo.ENDPOINTS} == {provider["slug"] for provider in demo.PROVIDERS}
    setting = Setting(scenario=from_document(demo.SCENARIO), offer=demo.scopes(), time_scale=1000)
    with running(setting=setting) as up, openai.OpenAI(base_url=up.path("delta"), api_key="k") as client:
        assert {model.id for model in client.models.list()} == {"ponder", "compass"}
        answer = client.chat.completions.create(model="ponder", messages=user("rivers"))
        assert answer.choices[0].message.reasoning_content


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--list"]) == 0
    assert "F44" in capsys.readouterr().out
    assert main(["--scenario", str(tmp_path / "none.toml")]) == 2
    process = subprocess.Popen(
        [sys.executable, "-m", "farebox.sims", "--port", "0", "--demo"], stdout=subprocess.PIPE, text=True
    )
    try:
        base = process.stdout.readline().strip()
        assert json.load(urllib.request.urlopen(base + "/models"))["object"] == "list"
    finally:
        process.terminate()
        process.communicate(timeout=10)
