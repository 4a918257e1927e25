"""Control's end of the link as an ASGI application. Refuses everybody without the token, before reading a body."""

import hmac
from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from farebox.ir.errors import FareboxError, InvalidRequest, TooLarge, Unauthenticated
from farebox.link import wire
from farebox.link.messages import ControlLink

Answer = Callable[[bytes], Awaitable[Response]]


def build(control: ControlLink, token: str) -> Starlette:
    """An application for the link's socket alone: it shares no address with anything public."""

    async def snapshot(body: bytes) -> Response:
        found = await control.snapshot(wire.asked_decoder.decode(body).known_version)
        return Response(status_code=204) if found is None else Response(found, media_type="application/octet-stream")

    async def authenticate(body: bytes) -> Response:
        asked = wire.question_decoder.decode(body)
        caller = await control.authenticate(asked.key_id, asked.key_digest)
        return Response(msgspec.json.encode(caller), media_type=wire.JSON)

    async def deliver(body: bytes) -> Response:
        delivery = wire.delivery_decoder.decode(body)
        news = await control.deliver(delivery.records, delivery.pulse)
        return Response(msgspec.json.encode(news), media_type=wire.JSON)

    return Starlette(
        routes=[
            _route(wire.SNAPSHOT, snapshot, token, wire.QUESTION_BYTES_MAX),
            _route(wire.AUTHENTICATE, authenticate, token, wire.QUESTION_BYTES_MAX),
            _route(wire.DELIVER, deliver, token, wire.DELIVERY_BYTES_MAX),
        ]
    )


def _route(path: str, answer: Answer, token: str, limit: int) -> Route:
    expected = f"Bearer {token}".encode()

    async def endpoint(request: Request) -> Response:
        try:
            given = request.headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(given, expected):
                raise Unauthenticated("The link's token is wrong.")
            try:
                return await answer(await _body(request, limit))
            except msgspec.DecodeError as cause:
                raise InvalidRequest("The message could not be read.") from cause
        except FareboxError as error:
            return JSONResponse({"error": {"code": error.status, "message": error.message}}, error.status)

    return Route(path, endpoint, methods=["POST"])


async def _body(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)
