"""Refusals as leaves of the error tree: `{"id", "message"}`, sometimes with `error_type`. Refuses to read statuses alone:
an answer that could not be made (422) is the service's failure, not the request's.
"""

import re
from collections.abc import Mapping

from farebox.dialects.shared.vendor_errors import Said, leaf, parse, retry_after, said
from farebox.ir.errors import AttemptError, VendorFailed

_NO_ANSWER = re.compile(r"no valid response generated", re.IGNORECASE)
_TRIAL = re.compile(r"trial key|monthly", re.IGNORECASE)
_TOKEN = re.compile(r"invalid api token|no api key supplied", re.IGNORECASE)


def refusal(status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
    """An error answer."""
    what = said(parse(body), body)
    if status == 422 and _NO_ANSWER.search(what.text):
        return VendorFailed(vendor_status=status, detail=what.text[:256])
    meant = status
    if status == 429 and _TRIAL.search(what.text) and "monthly" in what.text.lower():
        meant = 402
    elif _TOKEN.search(what.text):
        meant = 401
    elif "TOO_MANY_TOKENS" in what.words:
        what = Said(text=what.text, words="context length", status=what.status)
    error = leaf(meant, what, retry_after(headers))
    error.vendor_status = status
    return error
