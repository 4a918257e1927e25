"""Our own count of tokens, for answers whose vendor reports none and for prompts before they are sent.

An estimate by bytes, always flagged as such. Refuses to replace what a vendor reports.
"""

from typing import Any

import msgspec

from farebox.dialects.ports import Opened, Outcome
from farebox.ir.usage import METERED, Unit, Usage

# Four bytes of English a token is what the byte-pair vocabularies of 2023-2026 average on chat text.
BYTES_PER_TOKEN = 4
# Members, in any protocol, by which a vendor adds what it keeps or fetches itself: caches, containers, servers of tools.
_ADDING = frozenset(
    (
        "cachedContent",
        "cached_content",
        "container",
        "mcp_servers",
        "plugins",
        "search_parameters",
        "web_search_options",
    )
)
_FUNCTIONS = ("functionDeclarations", "function_declarations")


def prompt_estimate(opened: Opened) -> int:
    """About how many tokens the prompt has. Inline media are left out: their price depends on their dimensions."""
    size = len(opened.body)
    if opened.modalities:
        # A data URL is at least a third of a megabyte of base64 for any photograph; its bytes are not text.
        size -= sum(len(part) for part in opened.body.split(b"base64,")[1:] if len(part) > 1024)
    return max(1, size // BYTES_PER_TOKEN)


def metered(opened: Opened, outcome: Outcome) -> Usage:
    """Usage counted by us: what was sent, and what came back until now."""
    leaves = {str(Unit.INPUT_FRESH): prompt_estimate(opened)}
    if outcome.content_chars:
        leaves[Unit.OUTPUT_TEXT] = -(-outcome.content_chars // BYTES_PER_TOKEN)
    if outcome.reasoning_chars:
        leaves[Unit.OUTPUT_REASONING] = -(-outcome.reasoning_chars // BYTES_PER_TOKEN)
    return Usage(leaves, None, METERED)


def checked(usage: Usage, opened: Opened, outcome: Outcome, flags: list[str]) -> Usage:
    """A vendor's usage held against what went through our hands; a lie is cut down to our own count and flagged.

    A prompt of more than ten times our estimate plus a margin for templates and tools, or an answer of far more tokens than
    bytes, cannot be true: no vocabulary splits below one byte a token. Where the vendor runs tools of its own or adds what it
    keeps, the request says nothing about the size of the prompt, and its word is taken.
    """
    leaves = usage.leaves
    prompt = usage.prompt_tokens()
    if not opened.modalities and prompt > 10 * prompt_estimate(opened) + 2000 and not _added_to(opened, usage):
        flags.append("usage_absurd_prompt")
        return metered(opened, outcome)
    seen = outcome.content_chars + outcome.reasoning_chars
    hidden = leaves.get(Unit.OUTPUT_REASONING, 0)
    visible = usage.completion_tokens() - hidden
    limit = opened.max_tokens
    unlimited = limit is None or visible > limit * opened.choices
    if visible > 4 * seen + 2000 and not outcome.tool_calls and unlimited and not _added_to(opened, usage):
        flags.append("usage_absurd_completion")
        return metered(opened, outcome)
    return usage


def _added_to(opened: Opened, usage: Usage) -> bool:
    """Whether the vendor may put more into the prompt than was sent to it."""
    fields = opened.fields
    if usage.leaves.get(Unit.SEARCH) or not _ADDING.isdisjoint(fields):
        return True
    # A prompt that is an object is a template the vendor keeps; a text or a list is the prompt of a completion.
    if bytes(fields.get("prompt", b""))[:1] == b"{":
        return True
    tools = msgspec.json.decode(fields["tools"]) if "tools" in fields else None
    return isinstance(tools, list) and not all(_client_runs(tool) for tool in tools)


def _client_runs(tool: Any) -> bool:
    """Whether a tool is a function of the caller's."""
    if not isinstance(tool, dict):
        return True
    if any(name in tool for name in _FUNCTIONS):
        return len(tool) == 1
    named = any(name in tool for name in ("function", "custom", "name"))
    return named and tool.get("type") in (None, "function", "custom")
