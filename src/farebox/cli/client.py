"""A small client of the public API for the commands. Refuses to reach into the store: commands are callers like any other."""

import json
import os
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from farebox.app.exits import Exit
from farebox.cli.errors import CommandFailed
from farebox.settings import home_of, load

Json = Any
TIMEOUT_S = 600.0
OWNER_KEY = "owner.key"


class Client:
    """One house: address and key. `url` and `key` default to the environment, then to the house of this machine."""

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        self._settings = None if url or os.environ.get("FAREBOX_URL") else load(None, os.environ)
        self.url = (url or os.environ.get("FAREBOX_URL") or self._own_url()).rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CommandFailed(f"{self.url}: write http://host:port", Exit.USAGE)
        self._parts = parts
        self._key = key or os.environ.get("FAREBOX_API_KEY") or self._owner_key()

    def call(self, method: str, path: str, body: Json = None) -> Json:
        """One exchange with a JSON answer. Raises CommandFailed with the house's own words."""
        with self._send(method, path, body) as answer:
            return self._read(answer)

    def events(self, path: str, body: Json) -> Iterator[Json]:
        """The events of a streamed answer, as they come."""
        with self._send("POST", path, body) as answer:
            if answer.status != 200 or "text/event-stream" not in answer.headers.get("content-type", ""):
                yield self._read(answer)
                return
            for line in answer:
                if line.startswith(b"data:") and (data := line[5:].strip()) != b"[DONE]":
                    yield json.loads(data)

    def _send(self, method: str, path: str, body: Json) -> HTTPResponse:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            connection: HTTPConnection = HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        else:
            connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
        headers = {"Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._parts.path + path, data, headers)
            return connection.getresponse()
        except (OSError, HTTPException) as error:
            raise CommandFailed(
                f"No Farebox answers at {self.url} ({error}). Start one with `farebox serve`, or set FAREBOX_URL.",
                Exit.UNREACHABLE,
            ) from error

    def _read(self, answer: HTTPResponse) -> Json:
        text = answer.read()
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            raise CommandFailed(f"{self.url} answered with status {answer.status} and no JSON.") from None
        if answer.status < 400:
            return found
        problem = found.get("error", {}) if isinstance(found, dict) else {}
        message = problem.get("message") if isinstance(problem, dict) else None
        advice = " Set FAREBOX_API_KEY." if answer.status == 401 and not self._key else ""
        raise CommandFailed(f"{message or f'Status {answer.status}.'}{advice}")

    def _own_url(self) -> str:
        assert self._settings is not None
        server = self._settings.server
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(server.host, server.host)  # noqa: S104 - compared, not bound
        return f"{'https' if server.tls_certificate else 'http'}://{host}:{server.port}"

    def _owner_key(self) -> str:
        home = self._settings.home if self._settings is not None else home_of(os.environ)
        try:
            return (home / OWNER_KEY).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""
