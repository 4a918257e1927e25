"""How the edge answers: order, bodies, deadlines, back-pressure, disconnects, drain."""

import asyncio
import contextlib

import pytest

from farebox.http.limits import Limits
from farebox.http.server import Reply, Request
from farebox.ir.errors import Unauthenticated
from unit.http.wires import Talk, serving, settle, status, until

HOST = b"Host: house\r\n"


def get(path: bytes, extra: bytes = b"") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + extra + b"\r\n"


def post(body: bytes, extra: bytes = b"") -> bytes:
    return b"POST /p HTTP/1.1\r\n" + HOST + extra + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def test_pipelined_requests_are_answered_in_order_one_at_a_time() -> None:
    async def run() -> None:
        running = 0

        async def handler(request: Request, reply: Reply) -> None:
            nonlocal running
            running += 1
            assert running == 1
            await asyncio.sleep(0)
            running -= 1
            reply.send(200, b"", request.headers[b"authorization"] + request.body)

        talk = Talk(handler=handler)
        pair = (
            post(b"1", b"Authorization: a\r\n")
            + post(b"2", b"Authorization: b\r\n")
            + get(b"/x", b"Authorization: c\r\n")
        )
        await talk.say(pair, get(b"/y", b"Authorization: d\r\n"))
        for _ in range(8):
            await settle()
        bodies = [part.partition(b"\r\n\r\n")[2] for part in talk.transport.out.split(b"HTTP/1.1 200 OK\r\n")[1:]]
        assert bodies == [b"a1", b"b2", b"c", b"d"]

    asyncio.run(run())


def test_a_long_pipeline_is_bounded_and_reading_pauses() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        seen = []

        async def handler(request: Request, reply: Reply) -> None:
            seen.append(request.path)
            await gate.wait()
            reply.send(200, b"", b"")

        talk = Talk(handler=handler, limits=Limits(pipeline=4, stash_bytes=1_000))
        await talk.say(get(b"/first"))
        await talk.say(get(b"/n") * 40)
        assert talk.transport.paused
        gate.set()
        for _ in range(60):
            await settle()
        assert not talk.transport.paused
        assert seen == ["/first"] + ["/n"] * 5  # one in work and four behind it; the rest was never taken
        assert talk.transport.out.count(b"HTTP/1.1 200") == 6
        assert talk.transport.out.rpartition(b"HTTP/1.1 ")[2].count(b"Connection: close") == 1
        assert talk.transport.eof

    asyncio.run(run())


def test_garbage_behind_a_request_is_refused_after_its_answer() -> None:
    async def run() -> None:
        talk = Talk()
        await talk.say(get(b"/a") + b"garbage\r\n\r\n")
        await settle()
        first, second = talk.transport.out.split(b"HTTP/1.1 ")[1:]
        assert first.startswith(b"200") and second.startswith(b"400") and talk.transport.eof

    asyncio.run(run())


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_bodies_arrive_whole_however_they_are_cut(size: int) -> None:
    async def run() -> None:
        talk = Talk()
        body = bytes(range(256)) * 20
        data = post(body) + b"POST /c HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        for i in range(0, len(body), 100):
            data += b"%x\r\n%s\r\n" % (len(body[i : i + 100]), body[i : i + 100])
        data += b"0\r\n\r\n"
        for i in range(0, len(data), size):
            talk.connection.data_received(data[i : i + size])
        for _ in range(8):
            await settle()
        assert [request.body for request in talk.requests] == [body, body]

    asyncio.run(run())


def test_a_client_that_asks_to_continue_is_told_so_and_then_timed() -> None:
    async def run() -> None:
        talk = Talk()
        head = b"POST /p HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        assert await talk.say(head) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await talk.say(b"abc")).endswith(b"POST /p abc")
        await talk.say(head)
        mark = len(talk.transport.out)
        talk.connection.sweep(asyncio.get_running_loop().time() + 14)
        assert len(talk.transport.out) == mark
        talk.connection.sweep(asyncio.get_running_loop().time() + 16)
        assert status(talk.transport.out[mark:]) == 408

    asyncio.run(run())


def test_a_body_too_large_is_refused_before_the_client_is_told_to_continue() -> None:
    async def run() -> None:
        talk = Talk(limits=Limits(body_bytes=10))
        head = b"POST /p HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 11\r\n\r\n"
        assert status(await talk.say(head)) == 413

    asyncio.run(run())


def test_deadlines_of_silence_half_heads_and_crawling_bodies() -> None:
    async def run() -> None:
        now = asyncio.get_running_loop().time()
        silent = Talk()
        silent.connection.sweep(now + 9)
        assert not silent.transport.closed
        silent.connection.sweep(now + 11)
        assert silent.transport.closed

        half = Talk()
        await half.say(b"GET / HT")
        half.connection.sweep(now + 11)
        assert status(half.transport.out) == 408

        crawl = Talk()
        await crawl.say(b"POST /p HTTP/1.1\r\n" + HOST + b"Content-Length: 9000\r\n\r\n", b"a" * 100)
        crawl.connection.deadline = now + 1e6  # bytes keep coming, only too few
        crawl.connection.sweep(now + 14)
        assert crawl.transport.out == b""
        crawl.connection.sweep(now + 17)
        assert status(crawl.transport.out) == 408

        kept = Talk()
        await kept.say(get(b"/"))
        kept.connection.sweep(now + 74)
        assert not kept.transport.closed
        kept.connection.sweep(now + 77)
        assert kept.transport.closed

    asyncio.run(run())


def test_a_refused_client_may_talk_on_for_a_bounded_while() -> None:
    async def run() -> None:
        talk = Talk()
        await talk.say(b"nonsense\r\n\r\n")
        assert talk.transport.eof and not talk.transport.closed
        for _ in range(5):
            talk.connection.data_received(b"x" * 65_536)
        assert talk.transport.aborted

    asyncio.run(run())


def test_slow_reader_pauses_the_answer_and_is_cut_when_it_stops() -> None:
    async def run() -> None:
        steps = []

        async def handler(request: Request, reply: Reply) -> None:
            reply.start(200, b"")
            for step in range(3):
                reply.write(b"x" * 10)
                if reply.paused:
                    await reply.drain()
                steps.append(step)
            reply.end()

        talk = Talk(handler=handler)
        talk.transport.buffered = 300_000
        talk.connection.pause_writing()
        await talk.say(get(b"/"))
        assert steps == []
        now = asyncio.get_running_loop().time()
        talk.transport.buffered -= 1_000
        talk.connection.sweep(now + 50)
        talk.connection.sweep(now + 100)  # progress at 50
        assert not talk.transport.closed
        talk.connection.sweep(now + 111)
        assert talk.transport.aborted
        talk.connection.connection_lost(None)
        await settle()
        assert steps == []

    asyncio.run(run())


def test_answer_continues_when_the_reader_catches_up() -> None:
    async def run() -> None:
        async def handler(request: Request, reply: Reply) -> None:
            reply.start(200, b"A: b\r\n")
            reply.write(b"one")
            await reply.drain()
            reply.write(b"")
            reply.end(b"two")

        talk = Talk(handler=handler)
        talk.connection.pause_writing()
        await talk.say(get(b"/"))
        assert not talk.transport.out.endswith(b"0\r\n\r\n")
        talk.connection.resume_writing()
        await settle()
        head, _, body = talk.transport.out.partition(b"\r\n\r\n")
        assert b"A: b" in head and b"Transfer-Encoding: chunked" in head
        assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"

    asyncio.run(run())


def test_a_disconnect_cancels_the_handler_which_sees_gone() -> None:
    async def run() -> None:
        ended: list[bool] = []

        async def handler(request: Request, reply: Reply) -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                ended.append(reply.gone)
                reply.write(b"dropped")
                reply.send(200, b"", b"dropped")
                raise

        talk = Talk(handler=handler)
        await talk.say(get(b"/"))
        talk.connection.connection_lost(None)
        await settle()
        assert ended == [True]
        assert talk.transport.out == b""

    asyncio.run(run())


def test_a_task_that_works_on_after_its_answer_is_left_alone() -> None:
    async def run() -> None:
        ended: list[str] = []

        async def handler(request: Request, reply: Reply) -> None:
            reply.send(200, b"", b"")
            for _ in range(20):
                await asyncio.sleep(0)
            ended.append(request.path)

        talk = Talk(handler=handler)
        talk.connection.data_received(get(b"/a"))
        await asyncio.sleep(0)
        talk.connection.connection_lost(None)
        for _ in range(4):
            await settle()
        assert ended == ["/a"]

    asyncio.run(run())


def test_errors_of_the_handler_become_answers_and_never_clean_ends() -> None:
    async def run() -> None:
        async def refusing(request: Request, reply: Reply) -> None:
            if request.path == "/late":
                reply.start(200, b"")
                reply.write(b"x")
            raise Unauthenticated()

        talk = Talk(handler=refusing)
        answer = await talk.say(get(b"/early"))
        assert status(answer) == 401 and answer.endswith(b"authentication")
        await talk.say(get(b"/late"))
        assert talk.transport.aborted and not talk.transport.out.endswith(b"0\r\n\r\n")

        async def forgetful(request: Request, reply: Reply) -> None:
            return

        assert status(await Talk(handler=forgetful).say(get(b"/"))) == 500

    asyncio.run(run())


def test_head_has_no_body_and_1_0_closes_unless_asked() -> None:
    async def run() -> None:
        talk = Talk()
        answer = await talk.say(b"HEAD /h HTTP/1.1\r\n" + HOST + b"\r\n")
        assert answer.endswith(b"Content-Length: 8\r\n\r\n")
        assert (await talk.say(get(b"/next"))).endswith(b"GET /next ")

        old = Talk()
        answer = await old.say(b"GET /o HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert old.transport.eof == (b"Connection: close" in answer)
        assert answer.endswith(b"GET /o ")

        async def streaming(request: Request, reply: Reply) -> None:
            reply.start(200, b"")
            reply.write(b"a")
            reply.end(b"b")

        old = Talk(handler=streaming)
        answer = await old.say(b"GET / HTTP/1.0\r\n\r\n")
        assert answer.endswith(b"\r\n\r\nab") and b"chunked" not in answer and old.transport.eof
        bare = await Talk(handler=streaming).say(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert bare.endswith(b"\r\n\r\n") and b"\r\n\r\na" not in bare

    asyncio.run(run())


def test_no_content_has_no_length() -> None:
    async def run() -> None:
        async def handler(request: Request, reply: Reply) -> None:
            reply.send(204, b"", b"ignored")

        answer = await Talk(handler=handler).say(get(b"/"))
        assert b"Content-Length" not in answer and answer.endswith(b"\r\n\r\n")

    asyncio.run(run())


def test_drain_closes_idle_connections_and_lets_busy_ones_end() -> None:
    async def run() -> None:
        gate = asyncio.Event()

        async def handler(request: Request, reply: Reply) -> None:
            if request.path == "/slow":
                await gate.wait()
            reply.send(200, b"", b"done")

        async with serving(handler) as (server, port):
            idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
            busy_reader, busy_writer = await asyncio.open_connection("127.0.0.1", port)
            idle_writer.write(get(b"/"))
            assert status(await idle_reader.readuntil(b"done")) == 200
            busy_writer.write(get(b"/slow"))
            await until(lambda: server.connections == 2 and not all(c.idle for c in server._board.connections))
            drained = asyncio.create_task(server.drain(30))
            assert await idle_reader.read() == b""
            gate.set()
            answer = await busy_reader.read()
            assert b"Connection: close" in answer and answer.endswith(b"done")
            busy_writer.close()
            idle_writer.close()
            await drained
            assert server.connections == 0
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(run())


def test_drain_cuts_what_is_left_at_its_deadline() -> None:
    async def run() -> None:
        ended: list[bool] = []

        async def handler(request: Request, reply: Reply) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(reply.gone)

        async with serving(handler) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(get(b"/"))
            await until(lambda: not all(c.idle for c in server._board.connections))
            await server.drain(0.01)
            with contextlib.suppress(ConnectionError):  # a reset or a bare end, by event loop
                assert await reader.read() == b""
            writer.close()
        await settle()
        assert ended == [True]

    asyncio.run(run())
