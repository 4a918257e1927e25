"""`reasoning_details`, the common form of sealed reasoning among chat-like dialects, to and from canonical parts.
Refuses to change a seal: it goes back byte for byte, with the format word that says whose it is.
"""

from typing import Any

from msgspec import Raw

from farebox.ir.request import Origin, Reasoning, Seal

DIALECT = "openai_chat"
UNKNOWN = "unknown"


def part_of(detail: dict[str, Any], extras: dict[str, Raw] | None = None) -> Reasoning:
    """One entry as a reasoning part."""
    kind = str(detail.get("type") or "")
    item_id = str(detail.get("id") or "")
    seal = None
    if detail.get("data"):
        seal = Seal("encrypted", str(detail["data"]), item_id)
    elif detail.get("signature"):
        seal = Seal("signature", str(detail["signature"]), item_id)
    word = str(detail.get("format") or "")
    return Reasoning(
        text=str(detail.get("text") or "") if kind != "reasoning.summary" else "",
        summary=str(detail.get("summary") or ""),
        seal=seal,
        origin=Origin(DIALECT, format=word),
        extras={DIALECT: extras} if extras else {},
    )


def detail_of(part: Reasoning, index: int) -> dict[str, object]:
    """A reasoning part as one entry."""
    word = part.origin.format if part.origin is not None else UNKNOWN
    seal = part.seal
    out: dict[str, object]
    if seal is not None and seal.form in ("encrypted", "redacted") and not part.text:
        out = {"type": "reasoning.encrypted", "data": seal.data}
    elif part.summary and not part.text:
        out = {"type": "reasoning.summary", "summary": part.summary}
    else:
        out = {"type": "reasoning.text", "text": part.text}
        if seal is not None:
            out["signature"] = seal.data
    if seal is not None and seal.item_id:
        out["id"] = seal.item_id
    if word:
        out["format"] = word
    out["index"] = index
    return out
