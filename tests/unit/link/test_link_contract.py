"""The link says the same in one process and over a socket, and never takes a fault for an answer."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvicorn

from farebox.accounts.types import Caller
from farebox.http.client import ClientLimits, Origin, Pool, Timeouts
from farebox.ir.errors import Unavailable
from farebox.link import server
from farebox.link.local import LocalLink
from farebox.link.messages import ControlLink, News, Pulse
from farebox.link.socket import SocketLink

TOKEN = "t" * 64
CALLER = Caller(
    key_id="k", key_name="näme \u2028", organisation="o", models=("a/*",), expires_s=5, toll_bps=0, disabled=True
)
PULSE = Pulse(worker="w1", pid=7, started_ms=1, metrics={'farebox_requests_total{operation="chat"}': 2.5})
SNAPSHOT = bytes(range(256)) * 2000


class Scripted:
    """A control that remembers what it was asked."""

    def __init__(self) -> None:
        self.delivered: list[tuple[list[bytes], Pulse]] = []
        self.broken = False

    async def snapshot(self, known_version: str) -> bytes | None:
        self._check()
        return None if known_version == "v1" else SNAPSHOT

    async def authenticate(self, key_id: str, key_digest: str) -> Caller | None:
        self._check()
        return CALLER if (key_id, key_digest) == ("k", "d" * 64) else None

    async def deliver(self, records: list[bytes], pulse: Pulse) -> News:
        self._check()
        self.delivered.append((records, pulse))
        return News(accepted=len(records), catalogue_version="v1", keys_epoch=3)

    def _check(self) -> None:
        if self.broken:
            raise Unavailable("The store cannot be used at present.")


Opened = Callable[[Scripted], contextlib.AbstractAsyncContextManager[ControlLink]]


@contextlib.asynccontextmanager
async def serving(app: object, path: Path) -> AsyncIterator[None]:
    running = uvicorn.Server(uvicorn.Config(app, uds=str(path), log_config=None, lifespan="off"))  # type: ignore[arg-type]
    task = asyncio.create_task(running.serve())
    while not running.started:  # noqa: ASYNC110 - uvicorn tells it no other way
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        running.should_exit = True
        await task


@contextlib.asynccontextmanager
async def over_socket(control: Scripted, folder: Path, token: str = TOKEN) -> AsyncIterator[SocketLink]:
    path = folder / "link.sock"
    async with serving(server.build(control, TOKEN), path):
        pool = Pool(limits=ClientLimits())
        try:
            yield SocketLink(pool, Origin(scheme="unix", host="control", socket=str(path)), token)
        finally:
            await pool.close()


@pytest.fixture(params=["local", "socket"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    @contextlib.asynccontextmanager
    async def local(control: Scripted) -> AsyncIterator[ControlLink]:
        yield LocalLink(control)

    @contextlib.asynccontextmanager
    async def socket(control: Scripted) -> AsyncIterator[ControlLink]:
        async with over_socket(control, tmp_path) as link:
            yield link

    return local if request.param == "local" else socket


def run(opened: Opened, use: Callable[[ControlLink, Scripted], Awaitable[None]]) -> None:
    async def main() -> None:
        control = Scripted()
        async with opened(control) as link:
            await use(link, control)

    asyncio.run(main())


def test_a_snapshot_comes_whole_or_not_at_all(opened: Opened) -> None:
    async def use(link: ControlLink, _: Scripted) -> None:
        assert await link.snapshot("") == SNAPSHOT
        assert await link.snapshot('v0"\n') == SNAPSHOT
        assert await link.snapshot("v1") is None

    run(opened, use)


def test_a_caller_is_told_whole_and_an_unknown_key_is_none(opened: Opened) -> None:
    async def use(link: ControlLink, _: Scripted) -> None:
        assert await link.authenticate("k", "d" * 64) == CALLER
        assert await link.authenticate("k", "e" * 64) is None

    run(opened, use)


def test_records_arrive_as_the_bytes_they_are(opened: Opened) -> None:
    records = [b'{"id": "1"}', b"\xff\x00 not even JSON", b""]

    async def use(link: ControlLink, control: Scripted) -> None:
        assert await link.deliver(records, PULSE) == News(accepted=3, catalogue_version="v1", keys_epoch=3)
        assert await link.deliver([], PULSE) == News(accepted=0, catalogue_version="v1", keys_epoch=3)
        assert control.delivered == [(records, PULSE), ([], PULSE)]

    run(opened, use)


def test_a_fault_of_control_is_unavailable_on_every_question(opened: Opened) -> None:
    async def use(link: ControlLink, control: Scripted) -> None:
        control.broken = True
        for question in (link.snapshot(""), link.authenticate("k", "d" * 64), link.deliver([], PULSE)):
            with pytest.raises(Unavailable):
                await question
        control.broken = False
        assert await link.authenticate("k", "d" * 64) == CALLER

    run(opened, use)


def test_many_questions_at_once_are_each_answered(opened: Opened) -> None:
    async def use(link: ControlLink, _: Scripted) -> None:
        asked = [link.authenticate("k", ("d" if place % 2 else "e") * 64) for place in range(60)]
        assert [answer is not None for answer in await asyncio.gather(*asked)] == [False, True] * 30

    run(opened, use)


def test_a_closed_local_link_is_unavailable() -> None:
    async def main() -> None:
        link = LocalLink(Scripted())
        await link.close()
        with pytest.raises(Unavailable):
            await link.snapshot("")

    asyncio.run(main())


def test_nobody_listening_is_unavailable(tmp_path: Path) -> None:
    async def main() -> None:
        pool = Pool(limits=ClientLimits())
        link = SocketLink(pool, Origin(scheme="unix", host="control", socket=str(tmp_path / "none.sock")), TOKEN)
        with pytest.raises(Unavailable) as caught:
            await link.authenticate("k", "d" * 64)
        assert caught.value.retry_after_s == 1.0
        await pool.close()

    asyncio.run(main())


def test_a_wrong_token_is_unavailable_and_control_is_not_asked(tmp_path: Path) -> None:
    async def main() -> None:
        control = Scripted()
        async with over_socket(control, tmp_path, "wrong") as link:
            with pytest.raises(Unavailable, match="401"):
                await link.deliver([b"{}"], PULSE)
        assert control.delivered == []

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<ok>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnull",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nnu",
        b"SSH-2.0-something\r\n",
        b"",
    ],
)
def test_odd_answers_are_unavailable_never_none(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "odd.sock"

    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def main() -> None:
        listening = await asyncio.start_unix_server(odd, path)
        pool = Pool(limits=ClientLimits())
        origin = Origin(scheme="unix", host="control", socket=str(path))
        link = SocketLink(pool, origin, TOKEN, timeouts=Timeouts(1, 1, 1, 2, 2, 3))
        with pytest.raises(Unavailable):
            await link.authenticate("k", hashlib.sha256(b"x").hexdigest())
        await pool.close()
        listening.close()
        await listening.wait_closed()

    asyncio.run(main())
