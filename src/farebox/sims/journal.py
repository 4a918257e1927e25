"""What the scripted upstream saw: requests as received, connections with their byte counts. Bounded; forgets the oldest."""

import base64
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count

from farebox.sims.http1 import Json, Request

REQUESTS_MAX = 2_000
CONNECTIONS_MAX = 4_000
BODY_BYTES_KEPT = 4 * 1024 * 1024


@dataclass(slots=True)
class Entry:
    """One request and what became of its answer."""

    number: int
    connection: int
    received_s: float
    request: Request
    scope: str = ""
    model: str = ""
    fault: str = ""
    rule: int | None = None
    status: int | None = None
    outcome: str = "running"
    events_sent: int = 0
    ended_s: float | None = None

    def end(self, outcome: str) -> None:
        """Write down how the exchange ended; the first word stands."""
        if self.ended_s is None:
            self.outcome, self.ended_s = outcome, time.time()

    def document(self) -> Json:
        body = self.request.body[:BODY_BYTES_KEPT]
        try:
            text, coded = body.decode(), None
        except UnicodeDecodeError:
            text, coded = None, base64.b64encode(body).decode()
        return {
            "number": self.number,
            "connection": self.connection,
            "received_s": self.received_s,
            "ended_s": self.ended_s,
            "method": self.request.method,
            "target": self.request.target,
            "headers": self.request.headers,
            "head": self.request.head.decode("latin-1"),
            "body": text,
            "body_base64": coded,
            "body_bytes": len(self.request.body),
            "scope": self.scope,
            "model": self.model,
            "fault": self.fault,
            "rule": self.rule,
            "status": self.status,
            "outcome": self.outcome,
            "events_sent": self.events_sent,
        }


@dataclass(slots=True)
class Line:
    """One connection's account. `bytes_after_close` counts what was written after the peer had closed its side."""

    number: int
    opened_s: float
    listener: str = "http"
    requests: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    bytes_after_close: int = 0
    peer_closed_s: float | None = None
    closed_s: float | None = None

    def document(self) -> Json:
        return {
            "number": self.number,
            "listener": self.listener,
            "opened_s": self.opened_s,
            "peer_closed_s": self.peer_closed_s,
            "closed_s": self.closed_s,
            "open": self.closed_s is None,
            "requests": self.requests,
            "bytes_received": self.bytes_received,
            "bytes_sent": self.bytes_sent,
            "bytes_after_close": self.bytes_after_close,
        }


@dataclass(slots=True)
class Journal:
    """The record of one run of the server."""

    requests: deque[Entry] = field(default_factory=lambda: deque(maxlen=REQUESTS_MAX))
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=CONNECTIONS_MAX))
    _request_numbers: "count[int]" = field(default_factory=lambda: count(1))
    _line_numbers: "count[int]" = field(default_factory=lambda: count(1))

    def line(self, listener: str) -> Line:
        line = Line(next(self._line_numbers), time.time(), listener)
        self.lines.append(line)
        return line

    def entry(self, line: Line, request: Request) -> Entry:
        entry = Entry(next(self._request_numbers), line.number, time.time(), request)
        self.requests.append(entry)
        return entry

    def reset(self) -> None:
        """Forget the past. Connections still open stay listed, so that a leak cannot be reset away."""
        self.requests.clear()
        still_open = [line for line in self.lines if line.closed_s is None]
        self.lines.clear()
        self.lines.extend(still_open)
        self._request_numbers = count(1)
