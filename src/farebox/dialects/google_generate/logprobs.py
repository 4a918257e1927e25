"""Log probabilities between Google's shape and the chat shape that the canonical form carries. Refuses token ids."""

from typing import Any


def _entry(candidate: dict[str, Any]) -> dict[str, object]:
    token = str(candidate.get("token") or "")
    return {"token": token, "logprob": candidate.get("logProbability", 0), "bytes": list(token.encode())}


def entries_of(result: dict[str, Any]) -> list[dict[str, object]]:
    """Chosen tokens with the alternatives beside them."""
    chosen, top = result.get("chosenCandidates"), result.get("topCandidates")
    out: list[dict[str, object]] = []
    for position, candidate in enumerate(chosen if isinstance(chosen, list) else ()):
        beside = top[position].get("candidates") if isinstance(top, list) and position < len(top) else None
        others = [_entry(other) for other in beside or () if isinstance(other, dict)]
        if isinstance(candidate, dict):
            out.append(_entry(candidate) | {"top_logprobs": others})
    return out


def result_of(entries: list[dict[str, Any]]) -> dict[str, object]:
    """The result object for entries of another dialect."""
    chosen: list[dict[str, object]] = []
    top: list[dict[str, object]] = []
    for entry in entries:
        chosen.append({"token": entry.get("token"), "logProbability": entry.get("logprob")})
        beside = entry.get("top_logprobs") or []
        top.append(
            {"candidates": [{"token": one.get("token"), "logProbability": one.get("logprob")} for one in beside]}
        )
    return {"chosenCandidates": chosen, "topCandidates": top}
