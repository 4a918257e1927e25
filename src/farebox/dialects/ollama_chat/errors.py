"""Refusals as leaves of the error tree: `{"error": "text"}`. Some say 500 for what the request did wrong: words decide then.
Refuses to see more in a text than is there.
"""

import re
from collections.abc import Mapping

from farebox.dialects.shared.vendor_errors import Said, leaf, parse, retry_after, said
from farebox.ir.errors import AttemptError

_REQUEST = re.compile(r"image: unknown format|invalid image|illegal base64|failed to process inputs", re.IGNORECASE)
_BUSY = re.compile(r"maximum pending requests|server busy|requires more system memory", re.IGNORECASE)
_MODEL = re.compile(r"model .{0,200}not found", re.IGNORECASE)


def refusal(status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
    """An error answer, or an error line under status 200 (then `status` is 0)."""
    what = said(parse(body), body)
    return _leaf(status, what, retry_after(headers))


def in_stream(line: bytes) -> AttemptError:
    """A line with an error."""
    return _leaf(0, said(parse(line), line), None)


def _leaf(status: int, what: Said, wait_s: float | None) -> AttemptError:
    meant = status or what.status or 502
    if meant >= 500:
        if _REQUEST.search(what.text):
            meant = 400
        elif _MODEL.search(what.text):
            meant = 404
        elif _BUSY.search(what.text):
            meant = 503
    error = leaf(meant, what, wait_s)
    error.vendor_status = status or None
    return error
