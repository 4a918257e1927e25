"""The key cache: who is behind a credential, remembered by the digest of the whole key. Refuses to keep or log the key."""

import hashlib
from collections.abc import Callable

from msgspec import Struct

from farebox.accounts import keys as key_format
from farebox.accounts.types import Caller
from farebox.ir.errors import InvalidRequest, Unauthenticated, Unavailable
from farebox.link.messages import ControlLink

NEGATIVE_S = 5.0
ENTRIES_MAX = 50_000


class _Entry(Struct, gc=False):
    caller: Caller | None
    asked_at: float
    epoch: int


class KeyCache:
    """Callers by key digest. Fresh for `fresh_s`; valid ones outlive an absent control by `stale_s`."""

    def __init__(
        self, link: ControlLink, clock: Callable[[], float], *, fresh_s: float = 60.0, stale_s: float = 600.0
    ) -> None:
        self._link = link
        self._clock = clock
        self._fresh_s = fresh_s
        self._stale_s = stale_s
        self._entries: dict[bytes, _Entry] = {}
        self.epoch = 0

    def known(self, secret: bytes) -> Caller | None:
        """The caller if it can be told at once, without asking control; None means: use `ask`."""
        entry = self._entries.get(hashlib.sha256(secret).digest())
        if entry is None or entry.caller is None or entry.epoch != self.epoch:
            return None
        if self._clock() - entry.asked_at > self._fresh_s:
            return None
        return entry.caller

    async def ask(self, secret: bytes) -> Caller:
        """The caller behind a key. Raises Unauthenticated for a wrong key and Unavailable if control cannot be asked."""
        try:
            parsed = key_format.parse(secret.decode("ascii"))
        except UnicodeDecodeError:
            parsed = None
        if parsed is None:
            raise Unauthenticated
        digest = hashlib.sha256(secret).digest()
        entry = self._entries.get(digest)
        now = self._clock()
        if (
            entry is not None
            and entry.caller is None
            and now - entry.asked_at <= NEGATIVE_S
            and entry.epoch == self.epoch
        ):
            raise Unauthenticated
        try:
            caller = await self._link.authenticate(parsed.key_id, digest.hex())
        except Unavailable:
            # Control is away: a caller that was valid lately stays valid, an unknown one hears 503, never 401.
            if entry is not None and entry.caller is not None and now - entry.asked_at <= self._stale_s:
                return entry.caller
            raise
        self._remember(digest, _Entry(caller, now, self.epoch))
        if caller is None:
            raise Unauthenticated
        return caller

    def _remember(self, digest: bytes, entry: _Entry) -> None:
        entries = self._entries
        if len(entries) >= ENTRIES_MAX and digest not in entries:
            # Oldest first: dicts keep insertion order, and losing an entry costs one question to control.
            del entries[next(iter(entries))]
        entries[digest] = entry


_HEADERS = (b"x-api-key", b"api-key", b"x-goog-api-key")


def credential(headers: dict[bytes, bytes]) -> bytes:
    """The key a request carries, whichever way its SDK sends it. Raises Unauthenticated or InvalidRequest."""
    found = b""
    authorization = headers.get(b"authorization")
    # AWS's libraries sign with whatever credentials they find; that says nothing here, and the key has a header of its own.
    if authorization is not None and not authorization.startswith(b"AWS4-HMAC-SHA256 "):
        scheme, _, value = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not value or b" " in value or b"\t" in value:
            raise Unauthenticated
        found = value
    for name in _HEADERS:
        value = headers.get(name, b"")
        if value and found and value != found:
            raise InvalidRequest("Two different API keys in one request.", path=f"header.{name.decode()}")
        found = found or value
    if not found or len(found) > 512:
        raise Unauthenticated
    return found
