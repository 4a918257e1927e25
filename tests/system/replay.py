"""A vendor that says what a real one said: any POST below a recording's name is answered with its bytes, cut at random places."""

import base64
import itertools
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WIRE = Path(__file__).parents[1] / "wire"
CUTS = 12


@dataclass(frozen=True)
class Recording:
    """A recorded answer; `name` is folder and file of `tests/wire` without the ending."""

    name: str
    status: int
    content_type: str
    body: bytes = field(repr=False)
    streamed: bool

    @property
    def slug(self) -> str:
        """Its name as one lower-case word."""
        return "".join(c if c.isalnum() else "-" for c in self.name.lower())


@cache
def recording(name: str) -> Recording:
    data = json.loads((WIRE / f"{name}.json").read_bytes())
    response = data["response"]
    framed = response.get("encoding") == "base64"
    body = base64.b64decode(response["body"]) if framed else response["body"].encode()
    told = {key.lower(): str(value) for key, value in response["headers"].items()}.get("content-type", "")
    lines = body.lstrip()[:6] in (b"event:", b"data: ") or "ndjson" in told
    array = data["api"].endswith("streamGenerateContent")
    made = "application/vnd.amazon.eventstream" if framed else "text/event-stream" if lines else "application/json"
    return Recording(
        name, response["status"], told or made, body, response["status"] == 200 and (framed or lines or array)
    )


@dataclass
class Replayer:
    """The running vendor: where it is, and what it was sent (path and body), newest last."""

    port: int
    received: list[tuple[str, bytes]] = field(default_factory=list)

    def base_url(self, asked: Recording) -> str:
        return f"http://127.0.0.1:{self.port}/{asked.slug}"


@contextmanager
def replaying(*recordings: Recording, seed: int = 0) -> Iterator[Replayer]:
    """Answer while the block lasts."""
    known = {each.slug: each for each in recordings}
    dice = random.Random(seed)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            answer = known[self.path.split("/")[1]]
            with lock:
                vendor.received.append((self.path, sent))
                cuts = [dice.randrange(1, max(2, len(answer.body))) for _ in range(CUTS)]
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for begin, end in itertools.pairwise(sorted({0, *cuts, len(answer.body)})):
                piece = answer.body[begin:end]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    vendor = Replayer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="replay", daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
