"""A Responses request forwarded to a vendor of the same protocol: top-level members as the bytes they were, but for what
must change. Refuses allow-lists: what nobody names passes. See `encoding` for the option words.
"""

from msgspec import Raw

from farebox.dialects.openai_responses.decoding import decode_responses, wish_of
from farebox.dialects.openai_responses.encoding import ask_for_seals, encode_responses, finished, wish_object
from farebox.dialects.openai_responses.words import OWN, encode, format_of, given, members_of
from farebox.dialects.ports import Opened, Target
from farebox.dialects.shared.reader import Reader
from farebox.ir.events import Warning

_REWRITTEN = frozenset(("foreign_reasoning", "bare_reasoning"))
_PLAIN_WISH = frozenset(("effort", "summary", "generate_summary", "context", "mode"))


def relay_request(opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body and what was dropped. Items that must be rewritten go through the canonical form."""
    marks, takes_marks = opened.marks, "cache_control" in target.options
    if not marks.isdisjoint(_REWRITTEN) or ("cache_control" in marks and not takes_marks) or _unfit(opened, target):
        return encode_responses(decode_responses(opened), target)
    warnings: list[Warning] = []
    out: dict[str, bytes | Raw] = {
        name: raw for name, raw in opened.fields.items() if name not in OWN and name != "stream_options"
    }
    if "cache_control" in out and not takes_marks:
        del out["cache_control"]
    wished = _wish(opened, target, out, warnings)
    if not given(out.get("include")):
        out.pop("include", None)
    ask_for_seals(out, target, wished=wished, sealed=bool(opened.origins))
    if "stream_options" in opened.fields and opened.stream:
        out["stream_options"] = opened.fields["stream_options"]
    return finished(out, target, stream=opened.stream, warnings=warnings), warnings


def _unfit(opened: Opened, target: Target) -> bool:
    """Whether earlier reasoning is not the vendor's own, or not wanted back."""
    if "reasoning" not in opened.marks:
        return False
    return target.reasoning_replay == "never" or not opened.origins <= {format_of(target)}


def _wish(opened: Opened, target: Target, out: dict[str, bytes | Raw], warnings: list[Warning]) -> bool:
    """The wish as the vendor takes it: untouched if it uses the protocol's own words only."""
    raw = given(out.get("reasoning"))
    if not raw:
        return False
    fields = members_of(raw)
    wish = wish_of(Reader(fields))
    if not set(fields) <= _PLAIN_WISH or target.reasoning_wish == "none":
        value = wish_object(wish, target, opened.max_tokens, warnings)
        if value is None:
            del out["reasoning"]
        else:
            out["reasoning"] = encode(value)
    return wish is not None and wish.effort != "none" and wish.enabled is not False
