"""Measures the CPU of the edge alone: server, client pool and a minimal upstream as three processes on loopback.

Prints microseconds of CPU per request of the middle process (whole answers, and streams of twenty pieces).
Usage: python bench/edge.py [requests] [connections]
"""

import asyncio
import multiprocessing
import resource
import sys
import time

import uvloop

from farebox.http.client import ClientLimits, Origin, Pool, Timeouts
from farebox.http.limits import Limits
from farebox.http.server import Reply, Request, Server

BODY = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * 400 + b'"}]}'
ANSWER = b'{"id":"1","choices":[{"message":{"content":"' + b"y" * 500 + b'"}}]}'
EVENT = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"delta":{"content":"hello "}}]}\n\n'
JSON = b"Content-Type: application/json\r\n"


class Upstream(asyncio.Protocol):
    """Answers every read with one prepared answer; the requests here always fit one read."""

    whole = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (JSON, len(ANSWER), ANSWER)
    stream = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%s\r\n" % (len(EVENT), EVENT) * 20
        + b"0\r\n\r\n"
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.stream if data.startswith(b"POST /s") else self.whole)


def upstream(ready: multiprocessing.Queue) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
        ready.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


def middle(port: int, ready: multiprocessing.Queue, ask: multiprocessing.Queue) -> None:
    async def main() -> None:
        pool = Pool(limits=ClientLimits())
        origin, timeouts = Origin("http", "127.0.0.1", port), Timeouts()
        whole = b"POST /w HTTP/1.1\r\nHost: vendor\r\n" + JSON
        stream = b"POST /s HTTP/1.1\r\nHost: vendor\r\n" + JSON

        async def handler(request: Request, reply: Reply) -> None:
            if request.path == "/stream":
                response = await pool.send(origin, stream, request.body, timeouts)
                reply.start(200, b"Content-Type: text/event-stream\r\n")
                async for data in response:
                    reply.write(data)
                    if reply.paused:
                        await reply.drain()
                reply.end()
            elif request.path == "/bare":
                reply.send(200, JSON, ANSWER)
            else:
                response = await pool.send(origin, whole, request.body, timeouts)
                reply.send(response.status, JSON, await response.read(1 << 20))

        server = Server(handler, limits=Limits(), error=lambda error: (JSON, b"{}"))
        ready.put(await server.start("127.0.0.1", 0))
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, ask.get):
            usage = resource.getrusage(resource.RUSAGE_SELF)
            ready.put((usage.ru_utime + usage.ru_stime, usage.ru_maxrss))

    uvloop.run(main())


class Load(asyncio.Protocol):
    """Sends the next request as soon as the last answer is complete (it ends with a known byte string)."""

    def __init__(self, request: bytes, end: bytes, count: int, done: asyncio.Future) -> None:
        self.request, self.end, self.left, self.done = request, end, count, done
        self.tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-len(self.end) :]
        if self.tail == self.end:
            self.tail = b""
            self.left -= 1
            if self.left:
                self.transport.write(self.request)
            else:
                self.transport.close()
                self.done.set_result(None)


async def run(port: int, path: bytes, end: bytes, *, requests: int, connections: int) -> float:
    loop = asyncio.get_running_loop()
    request = (
        b"POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\nUser-Agent: b\r\nAccept: */*\r\n" % path
    )
    request += b"%sContent-Length: %d\r\n\r\n%s" % (JSON, len(BODY), BODY)
    waits = []
    start = time.perf_counter()
    for _ in range(connections):
        done = loop.create_future()
        await loop.create_connection(
            lambda done=done: Load(request, end, requests // connections, done), "127.0.0.1", port
        )
        waits.append(done)
    await asyncio.gather(*waits)
    return time.perf_counter() - start


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else 32
    context = multiprocessing.get_context("spawn")
    ready, ask = context.Queue(), context.Queue()
    first = context.Process(target=upstream, args=(ready,), daemon=True)
    first.start()
    second = context.Process(target=middle, args=(ready.get(), ready, ask), daemon=True)
    second.start()
    port = ready.get()
    assert isinstance(port, int)

    def usage() -> tuple[float, int]:
        ask.put(True)
        return ready.get()

    for name, path, end, share in (
        ("server only", b"/bare", ANSWER[-32:], 1),
        ("whole answer", b"/whole", ANSWER[-32:], 1),
        ("stream of 20", b"/stream", b"\r\n0\r\n\r\n", 2),
    ):
        figures = []
        for _ in range(5):
            before, _ = usage()
            took = uvloop.run(run(port, path, end, requests=requests // share, connections=connections))
            after, rss = usage()
            figures.append((after - before) / (requests // share) * 1e6)
        figures.sort()
        rate = requests // share / took
        print(
            f"{name:14} {figures[2]:6.1f} us CPU/request (best {figures[0]:.1f}), {rate:8.0f}/s, rss {rss / 1024:.0f} MiB"
        )
    ask.put(False)


if __name__ == "__main__":
    main()
