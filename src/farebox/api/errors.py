"""Errors as the management API answers them: one envelope for every way to fail. Refuses causes and stack traces."""

from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from farebox.ir.errors import FareboxError, InvalidRequest, InvariantBroken, MethodNotAllowed, NotFound

Headers = dict[str, str]


def envelope(error: FareboxError, request_id: str) -> Response:
    """`{"error": {"code", "message", "metadata"}}`; the finer word is `metadata.error_type`."""
    metadata: dict[str, object] = {"error_type": error.code, "request_id": request_id, **error.metadata}
    if error.path is not None:
        metadata["path"] = error.path
    headers: Headers = {"Cache-Control": "no-store"}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="farebox"'
    body = {"error": {"code": error.status, "message": error.message, "type": error.code, "metadata": metadata}}
    return Response(msgspec.json.encode(body), error.status, headers, media_type="application/json")


def of_framework(problem: HTTPException) -> FareboxError:
    """What the router refuses, as a leaf of our tree."""
    if problem.status_code == HTTPStatus.NOT_FOUND:
        return NotFound()
    if problem.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed()
    return InvalidRequest(path=None) if problem.status_code < HTTPStatus.INTERNAL_SERVER_ERROR else InvariantBroken()
