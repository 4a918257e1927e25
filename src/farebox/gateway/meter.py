"""Our own count of tokens, for answers whose vendor reports none and for prompts before they are sent.

An estimate by bytes, always flagged as such. Refuses to replace what a vendor reports.
"""

from farebox.dialects.ports import Opened, Outcome
from farebox.ir.usage import METERED, Unit, Usage

# Four bytes of English a token is what the byte-pair vocabularies of 2023-2026 average on chat text.
BYTES_PER_TOKEN = 4


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
    bytes, cannot be true: no vocabulary splits below one byte a token.
    """
    leaves = usage.leaves
    prompt = usage.prompt_tokens()
    if not opened.modalities and prompt > 10 * prompt_estimate(opened) + 2000:
        flags.append("usage_absurd_prompt")
        return metered(opened, outcome)
    seen = outcome.content_chars + outcome.reasoning_chars
    hidden = leaves.get(Unit.OUTPUT_REASONING, 0)
    visible = usage.completion_tokens() - hidden
    limit = opened.max_tokens
    if visible > 4 * seen + 2000 and not outcome.tool_calls and (limit is None or visible > limit * opened.choices):
        flags.append("usage_absurd_completion")
        return metered(opened, outcome)
    return usage
