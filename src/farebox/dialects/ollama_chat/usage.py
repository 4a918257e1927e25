"""Usage into leaves: `prompt_eval_count` is missing when the whole prompt was cached; `eval_count` includes thinking, which is
not told apart. Cached tokens are not told either. Refuses to price.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse.telling import count
from farebox.ir.usage import Unit, Usage

_value = msgspec.json.Decoder().decode
_encode = msgspec.json.encode
COUNTERS = (
    "prompt_eval_count", "eval_count", "total_duration", "load_duration", "prompt_eval_duration", "eval_duration",
)  # fmt: skip


def read_usage(fields: dict[str, Raw], flags: list[str]) -> Usage | None:
    """The leaves from the last line; `None` if there are no counts, or none to believe (then a flag says so)."""
    given = {name: fields[name] for name in COUNTERS if name in fields}
    if "prompt_eval_count" not in given and "eval_count" not in given:
        return None
    counts: dict[str, Any] = {name: _value(raw) for name, raw in given.items()}
    try:
        prompt, answer = count(counts.get("prompt_eval_count")) or 0, count(counts.get("eval_count")) or 0
    except ValueError:
        flags.append("usage_absurd")
        return None
    leaves = {Unit.INPUT_FRESH.value: prompt, Unit.OUTPUT_TEXT.value: answer}
    return Usage({name: tokens for name, tokens in leaves.items() if tokens}, Raw(_encode(given)))
