"""The link over a Unix socket or HTTP. Refuses to take a failure for an answer: every fault is Unavailable, never None."""

import json
from typing import TypeVar

import msgspec

from farebox.accounts.types import Caller
from farebox.http.client import Origin, Pool, Timeouts
from farebox.ir.errors import AttemptError, Unavailable
from farebox.link import wire
from farebox.link.messages import News, Pulse

T = TypeVar("T")

TIMEOUTS = Timeouts(connect_s=1, tls_s=3, send_s=10, first_byte_s=10, idle_s=10, total_s=30)
ANSWER_BYTES_MAX = 1024 * 1024


class SocketLink:
    """A client of `link.server`. `token` is the content of the home's `link.token`."""

    def __init__(self, pool: Pool, origin: Origin, token: str, *, timeouts: Timeouts = TIMEOUTS) -> None:
        self._pool = pool
        self._origin = origin
        self._timeouts = timeouts
        host = "control" if origin.scheme == "unix" else f"{origin.host}:{origin.port}"
        self._common = f"Host: {host}\r\nAuthorization: Bearer {token}\r\n"

    async def snapshot(self, known_version: str) -> bytes | None:
        body = json.dumps({"known_version": known_version}).encode()
        status, answer = await self._call(wire.SNAPSHOT, wire.JSON, body, limit=wire.SNAPSHOT_BYTES_MAX)
        return None if status == 204 else answer

    async def authenticate(self, key_id: str, key_digest: str) -> Caller | None:
        body = msgspec.json.encode(wire.Question(key_id, key_digest))
        _, answer = await self._call(wire.AUTHENTICATE, wire.JSON, body)
        return _decode(wire.caller_decoder, answer)

    async def deliver(self, records: list[bytes], pulse: Pulse) -> News:
        body = msgspec.msgpack.encode(wire.Delivery(records, pulse))
        _, answer = await self._call(wire.DELIVER, wire.PACKED, body)
        return _decode(wire.news_decoder, answer)

    async def _call(self, path: str, kind: str, body: bytes, *, limit: int = ANSWER_BYTES_MAX) -> tuple[int, bytes]:
        head = f"POST {path} HTTP/1.1\r\n{self._common}Content-Type: {kind}\r\n".encode("ascii")
        try:
            response = await self._pool.send(self._origin, head, body, self._timeouts)
            answer = await response.read(limit)
        except AttemptError as cause:
            raise Unavailable("Control cannot be reached.", retry_after_s=1.0) from cause
        if response.status not in (200, 204):
            raise Unavailable(f"Control answered with status {response.status}.", retry_after_s=1.0)
        return response.status, answer


def _decode(decoder: "msgspec.json.Decoder[T]", answer: bytes) -> T:
    try:
        return decoder.decode(answer)
    except msgspec.DecodeError as cause:
        raise Unavailable("Control's answer could not be read.", retry_after_s=1.0) from cause
