"""The command that talks to a model through the public API. Refuses to keep what was said."""

import sys
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from farebox.cli.client import Client, Json
from farebox.cli.errors import CommandFailed

DIM, PLAIN = "\033[2m", "\033[0m"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Manner:
    """How the model shall answer.

    Parameters
    ----------
    system
        Instructions before the conversation.
    max_tokens
        Longest answer.
    temperature
        0 is steady, 2 is wild.
    """

    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None


PLAIN_MANNER = Manner()
Text = Annotated[
    str | None,
    Parameter(help="What to say; `-` reads it from a pipe; without it a talk begins.", allow_leading_hyphen=True),
]


def chat(
    model: Annotated[str, Parameter(help="The model's slug: author/name.")],
    text: Text = None,
    *,
    manner: Manner = PLAIN_MANNER,
    quiet: Annotated[bool, Parameter(help="Only the answer.", negative="")] = False,
    url: Annotated[str | None, Parameter(help="Address of the Farebox.")] = None,
) -> None:
    """Talk to a model; the answer streams to the terminal, then provider, tokens and cost are shown.

    For example:

    - farebox chat openai/gpt-5-mini "Say hello in Finnish."
    - git diff | farebox chat anthropic/claude-sonnet-4.5 - --system "Write a commit message."
    - farebox chat deepseek/deepseek-chat
    """
    client = Client(url)
    messages: list[Json] = [{"role": "system", "content": manner.system}] if manner.system else []
    options = {"max_tokens": manner.max_tokens, "temperature": manner.temperature}
    wanted = {"model": model, "stream": True} | {key: value for key, value in options.items() if value is not None}
    if text == "-" or (text is None and not sys.stdin.isatty()):
        text = sys.stdin.read()
    if text is not None:
        _turn(client, wanted, messages, text, quiet=quiet)
        return
    print("Say something; Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            line = input("> ")
        except EOFError:
            print(file=sys.stderr)
            return
        if line.strip():
            _turn(client, wanted, messages, line, quiet=quiet)


def _turn(client: Client, wanted: dict[str, Json], messages: list[Json], text: str, *, quiet: bool) -> None:
    """One question and its answer; both join the conversation."""
    messages.append({"role": "user", "content": text})
    answer: list[str] = []
    last: Json = {}
    for event in client.events("/api/v1/chat/completions", {**wanted, "messages": messages}):
        if problem := event.get("error"):
            print()
            raise CommandFailed(str(problem.get("message", "The answer broke off.")))
        last = {**last, **{key: value for key, value in event.items() if value}}
        for choice in event.get("choices") or []:
            delta = choice.get("delta") or choice.get("message") or {}
            if (thought := delta.get("reasoning")) and not quiet and sys.stderr.isatty():
                print(f"{DIM}{thought}{PLAIN}", end="", flush=True, file=sys.stderr)
            if piece := delta.get("content"):
                answer.append(piece)
                print(piece, end="", flush=True)
    print()
    messages.append({"role": "assistant", "content": "".join(answer)})
    if not quiet:
        print(_summary(last), file=sys.stderr)


def _summary(last: Json) -> str:
    usage = last.get("usage") or {}
    parts = [str(last.get("model", "")), f"by {last['provider']}" if last.get("provider") else ""]
    if usage:
        parts.append(f"{usage.get('prompt_tokens', 0)} + {usage.get('completion_tokens', 0)} tokens")
    if usage.get("cost") is not None:
        parts.append(f"{usage['cost']:.6f} USD")
    if last.get("id"):
        parts.append(str(last["id"]))
    return "[" + ", ".join(part for part in parts if part) + "]"
