"""Log probabilities in the common shape. This API gives texts with the ids of their tokens; the ids are kept beside.
Refuses to split a text that stands for several tokens.
"""

from typing import Any

import msgspec
from msgspec import Raw


def entries(given: list[Any]) -> Raw:
    """Entries of the OpenAI chat shape. A text of several tokens stands with the first; the others are empty."""
    out: list[dict[str, Any]] = []
    for item in given:
        if not isinstance(item, dict):
            continue
        text, ids = str(item.get("text") or ""), item.get("token_ids") or []
        for number, value in enumerate(item.get("logprobs") or []):
            token = text if number == 0 else ""
            entry: dict[str, Any] = {
                "token": token,
                "logprob": value,
                "bytes": list(token.encode()),
                "top_logprobs": [],
            }
            if number < len(ids):
                entry["token_id"] = ids[number]
            out.append(entry)
    return Raw(msgspec.json.encode(out))
