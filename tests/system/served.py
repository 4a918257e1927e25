"""A real house for the system tests: `farebox serve` as a process, its address and key read from what it prints."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

LIMIT_S = 60.0
FAREBOX = (sys.executable, "-m", "farebox.cli.main")
# Whatever lies in the developer's environment must not become live in a test.
BARE = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH") if name in os.environ}


class House:
    """`with House(home, "--demo") as house`: ready when entered, ended when left."""

    def __init__(self, home: Path, *options: str, environ: dict[str, str] | None = None) -> None:
        self.home = home
        self.environ = {**BARE, "FAREBOX_HOME": str(home), "PYTHONUNBUFFERED": "1", **(environ or {})}
        self.process = subprocess.Popen(
            [*FAREBOX, "serve", "--port", "0", *options],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self.line(r"Farebox is ready at (\S+)")[1]
        self.key = self.line(r"API key +(\S+)")[1]
        self.port = int(self.url.rpartition(":")[2])

    def line(self, pattern: str, *, count: int = 1) -> re.Match[str]:
        """The line (the `count`th that fits) that the supervisor prints now or later."""
        deadline = time.monotonic() + LIMIT_S
        with self._news:
            while True:
                found = [match for line in self.lines if (match := re.search(pattern, line))]
                if len(found) >= count:
                    return found[count - 1]
                assert self._news.wait(deadline - time.monotonic()), f"no {pattern!r} in:\n" + "\n".join(self.lines)
                assert self._reader.is_alive() or found, "ended:\n" + "\n".join(self.lines)

    @property
    def pids(self) -> dict[str, int]:
        """The children by name, as the home records them."""
        return {child["name"]: child["pid"] for child in json.loads((self.home / "processes.json").read_text())}

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One exchange on a connection of its own."""
        with self.open(method, path, body) as answer:
            return answer.status, json.loads(answer.read())

    @contextmanager
    def open(self, method: str, path: str, body: object = None) -> Iterator[http.client.HTTPResponse]:
        """The same with an answer that is still to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        with closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            yield connection.getresponse()

    def run(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """A command of `farebox` beside this house."""
        environ = {**self.environ, "FAREBOX_URL": self.url}
        return subprocess.run(
            [*FAREBOX, *arguments],
            env=environ,
            input=text,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask for the end and wait for it."""
        self.process.send_signal(number)
        code = self.process.wait(LIMIT_S)
        self._reader.join(LIMIT_S)
        return code

    def ended(self) -> None:
        """Wait until nobody holds the standard output of this house any more: no child is left."""
        self._reader.join(LIMIT_S)
        assert not self._reader.is_alive()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def __enter__(self) -> "House":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        self.ended()
        if self.process.stdout is not None:
            self.process.stdout.close()


def ask(text: str = "Hello!", model: str = "simulated/sprint", **rest: object) -> dict[str, object]:
    """The body of a chat request."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **rest}
