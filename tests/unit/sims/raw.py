"""Raw sockets against the scripted upstream, and a small reader of what comes back."""

import json
import socket
from contextlib import closing

from farebox.sims.testing import Upstream

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Say: The café is open, naïve parrots sing."}]}


def request(order: str, *, stream: bool = False, close: bool = True, **more: object) -> bytes:
    body = json.dumps({**ASKED, "stream": stream, "stream_options": {"include_usage": True}, **more}).encode()
    lines = (
        f"Host: sims\r\nAuthorization: Bearer sk-secret-key-123456\r\nX-Sim: {order}\r\nContent-Length: {len(body)}\r\n"
    )
    if close:
        lines += "Connection: close\r\n"
    return f"POST /v1/chat/completions HTTP/1.1\r\n{lines}\r\n".encode() + body


def opened(upstream: Upstream) -> socket.socket:
    return socket.create_connection((upstream.host, upstream.port), timeout=10)


def read(sock: socket.socket, *, limit: int = 200_000_000, idle_s: float = 10.0) -> tuple[bytes, str]:
    """Everything until the end, and how it ended: fin, rst or idle."""
    sock.settimeout(idle_s)
    data = bytearray()
    while len(data) < limit:
        try:
            part = sock.recv(1 << 20)
        except ConnectionResetError:
            return bytes(data), "rst"
        except TimeoutError:
            return bytes(data), "idle"
        if not part:
            return bytes(data), "fin"
        data += part
    return bytes(data), "limit"


def ask(upstream: Upstream, order: str, **options: object) -> tuple[bytes, str]:
    idle_s = float(options.pop("idle_s", 10.0))
    with closing(opened(upstream)) as sock:
        sock.sendall(request(order, **options))
        return read(sock, idle_s=idle_s)


def parts(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and the body without its framing."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        whole = bytearray()
        while body:
            size, _, body = body.partition(b"\r\n")
            whole += body[: int(size, 16)]
            body = body[int(size, 16) + 2 :]
        body = bytes(whole)
    return int(lines[0].split(" ")[1]), headers, body


def events(body: bytes) -> list:
    """A small reader of event streams, by the letter of the format."""
    text = body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    found, lines = [], []
    for line in text.split("\n"):
        if line == "" and lines:
            joined = "\n".join(lines)
            found.append(joined if joined == "[DONE]" else json.loads(joined))
            lines = []
        name, _, value = line.partition(":")
        if name == "data":
            lines.append(value.removeprefix(" "))
    return found


def words(found: list) -> str:
    return "".join(
        c["delta"].get("content", "") for e in found if e != "[DONE]" for c in e.get("choices", ()) if "delta" in c
    )


def finish(found: list) -> list:
    return [c["finish_reason"] for e in found if e != "[DONE]" for c in e.get("choices", ()) if c["finish_reason"]]
