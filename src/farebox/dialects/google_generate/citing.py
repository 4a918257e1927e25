"""Grounding and recitation metadata of a candidate as citations, and citations as grounding metadata.
Offsets are UTF-8 bytes on Google's side and characters in the canonical form. Refuses to fetch sources.
"""

from collections.abc import Iterable
from typing import Any

from farebox.ir.request import Citation


class _Text:
    """A text that tells characters for bytes, and bytes for characters."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._plain = text.isascii()
        self._data = b"" if self._plain else text.encode()

    def chars(self, at: int) -> int:
        return at if self._plain else len(self._data[:at].decode("utf-8", "ignore"))

    def bytes(self, at: int) -> int:
        return at if self._plain else len(self._text[:at].encode())

    def cut(self, start: int | None, end: int | None) -> str:
        return self._text[start or 0 : end]


def _source(chunk: Any) -> tuple[str, str]:
    for kind in ("web", "retrievedContext", "maps"):
        inner = chunk.get(kind) if isinstance(chunk, dict) else None
        if isinstance(inner, dict):
            return str(inner.get("uri") or ""), str(inner.get("title") or "")
    return "", ""


def _offset(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def of_grounding(metadata: dict[str, Any], text: str) -> list[Citation]:
    """One citation for each supported segment and source; sources that support no segment come without offsets."""
    chunks = metadata.get("groundingChunks")
    sources = [_source(chunk) for chunk in chunks] if isinstance(chunks, list) else []
    told = _Text(text)
    found: list[Citation] = []
    used: set[int] = set()
    supports = metadata.get("groundingSupports")
    for support in supports if isinstance(supports, list) else ():
        segment = support.get("segment") if isinstance(support, dict) else None
        indices = support.get("groundingChunkIndices") if isinstance(support, dict) else None
        if not isinstance(segment, dict) or not isinstance(indices, list):
            continue
        start, end = _offset(segment.get("startIndex")) or 0, _offset(segment.get("endIndex"))
        for index in indices:
            if isinstance(index, int) and 0 <= index < len(sources):
                used.add(index)
                url, title = sources[index]
                found.append(
                    Citation(
                        url=url,
                        title=title,
                        quote=str(segment.get("text") or ""),
                        start=told.chars(start),
                        end=told.chars(end) if end is not None else None,
                    )
                )
    found += [Citation(url=url, title=title) for index, (url, title) in enumerate(sources) if index not in used and url]
    return found


def of_recitation(metadata: dict[str, Any], text: str) -> list[Citation]:
    """The sources that a text repeats."""
    entries = metadata.get("citations", metadata.get("citationSources"))
    told = _Text(text)
    found: list[Citation] = []
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            start, end = _offset(entry.get("startIndex")) or 0, _offset(entry.get("endIndex"))
            found.append(
                Citation(
                    url=str(entry.get("uri") or ""),
                    title=str(entry.get("title") or ""),
                    start=told.chars(start),
                    end=told.chars(end) if end is not None else None,
                )
            )
    return found


def to_grounding(citations: Iterable[Citation], text: str) -> dict[str, object]:
    """Grounding metadata for citations that another dialect made."""
    told = _Text(text)
    sources: dict[tuple[str, str], int] = {}
    supports: list[dict[str, object]] = []
    for citation in citations:
        index = sources.setdefault((citation.url, citation.title), len(sources))
        if citation.end is not None:
            segment: dict[str, object] = {"endIndex": told.bytes(citation.end)}
            if citation.start:
                segment["startIndex"] = told.bytes(citation.start)
            segment["text"] = told.cut(citation.start, citation.end) or citation.quote
            supports.append({"segment": segment, "groundingChunkIndices": [index]})
    chunks = [{"web": {"uri": url, "title": title}} for url, title in sources]
    return {"groundingChunks": chunks, "groundingSupports": supports} if supports else {"groundingChunks": chunks}


def searches(metadata: Any) -> int:
    """How many searches the vendor ran."""
    queries = metadata.get("webSearchQueries") if isinstance(metadata, dict) else None
    return len({query for query in queries if isinstance(query, str) and query}) if isinstance(queries, list) else 0
