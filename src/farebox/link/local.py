"""The link inside one process: the call goes straight through. Refuses to go on after it was closed."""

from farebox.accounts.types import Caller
from farebox.ir.errors import Unavailable
from farebox.link.messages import ControlLink, News, Pulse


class LocalLink:
    """For tests and one-process mode."""

    def __init__(self, control: ControlLink) -> None:
        self._control = control
        self._closed = False

    async def snapshot(self, known_version: str) -> bytes | None:
        return await self._open().snapshot(known_version)

    async def authenticate(self, key_id: str, key_digest: str) -> Caller | None:
        return await self._open().authenticate(key_id, key_digest)

    async def deliver(self, records: list[bytes], pulse: Pulse) -> News:
        return await self._open().deliver(records, pulse)

    async def close(self) -> None:
        self._closed = True

    def _open(self) -> ControlLink:
        if self._closed:
            raise Unavailable("The link to control is closed.")
        return self._control
