"""A gateway worker on a real port with an in-memory control, for tests that talk to it as a client would."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import msgspec
import uvloop

from farebox.accounts import keys
from farebox.accounts.types import Caller
from farebox.catalogue.snapshot import encode, with_server
from farebox.catalogue.types import Server, ServerModel, Snapshot
from farebox.gateway.config import GatewayConfig
from farebox.gateway.worker import Worker
from farebox.http.limits import Timeouts
from farebox.insights.types import GenerationRecord
from farebox.ir.errors import Unavailable
from farebox.link.messages import News, Pulse

EMPTY = Snapshot(version="", models={}, endpoints={}, providers={}, aliases={})
# Every deadline of the product divided by twenty or more; the order between them is kept.
FAST = Timeouts(connect_s=0.4, tls_s=0.4, send_s=2.0, first_byte_s=1.0, idle_s=0.6, total_s=4.0)


class MemoryControl:
    """The control plane as far as a gateway can see it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot_value = snapshot
        self.callers: dict[str, Caller] = {}
        self.records: list[GenerationRecord] = []
        self.away = False
        self.asked = 0
        self._ids: set[str] = set()

    def issue(self, **changes: object) -> str:
        key = keys.generate()
        parsed = keys.parse(key)
        assert parsed is not None
        caller = Caller(key_id=parsed.key_id, key_name="test", organisation="org-test")
        self.callers[keys.digest(key)] = msgspec.structs.replace(caller, **changes)
        return key

    async def snapshot(self, known_version: str) -> bytes | None:
        self._here()
        return None if known_version == self.snapshot_value.version else encode(self.snapshot_value)

    async def authenticate(self, key_id: str, key_digest: str) -> Caller | None:
        self._here()
        self.asked += 1
        return self.callers.get(key_digest)

    async def deliver(self, records: list[bytes], pulse: Pulse) -> News:
        self._here()
        for line in records:
            record = msgspec.json.decode(line, type=GenerationRecord)
            if record.id not in self._ids:
                self._ids.add(record.id)
                self.records.append(record)
        return News(accepted=len(records), catalogue_version=self.snapshot_value.version)

    def _here(self) -> None:
        if self.away:
            raise Unavailable


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)

    def events(self) -> list[dict]:
        """Data events but the end mark; comments are left out."""
        found = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]
        return [json.loads(text) for text in found if text != "[DONE]"]

    def text(self) -> str:
        if self.body.lstrip().startswith(b"{"):
            return self.json()["choices"][0]["message"]["content"] or ""
        deltas = [choice["delta"] for event in self.events() for choice in event.get("choices", ())]
        return "".join(delta.get("content") or "" for delta in deltas)


@dataclass
class House:
    port: int
    key: str
    control: MemoryControl
    worker: Worker
    loop: asyncio.AbstractEventLoop = field(repr=False)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def post(self, path: str, body: object, *, headers: dict[str, str] | None = None, timeout: float = 30.0) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
            connection.request("POST", path, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def chat(self, model: str, *, stream: bool = False, **rest: object) -> Answer:
        messages = rest.pop("messages", [{"role": "user", "content": "Say something about trains."}])
        headers = rest.pop("headers", None)
        body = {"model": model, "messages": messages, "stream": stream, **rest}
        return self.post("/v1/chat/completions", body, headers=headers)

    def record(self, generation_id: str, *, within_s: float = 5.0) -> GenerationRecord:
        """The record of a generation, once it has been delivered."""
        return asyncio.run_coroutine_threadsafe(self._record(generation_id, within_s), self.loop).result(within_s + 5)

    async def _record(self, generation_id: str, within_s: float) -> GenerationRecord:
        async with asyncio.timeout(within_s):
            while True:
                for record in self.control.records:
                    if record.id == generation_id:
                        return record
                await asyncio.sleep(0.01)


def offer(*servers: tuple[str, str, Sequence[str]], prices: dict[str, int] | None = None) -> Snapshot:
    """A catalogue of servers: (slug, base URL, model ids). The same model id at two servers is one model."""
    snapshot = EMPTY
    for slug, base_url, models in servers:
        offered = [
            ServerModel(
                id=name,
                slug=f"test/{name.partition('@')[0]}",
                context_length=100_000,
                prices=prices or {},
                input_modalities=("text", "image", "audio", "file", "video"),
                kind="embedding" if "embed" in name else "chat",
            )
            for name in models
        ]
        snapshot = with_server(snapshot, Server(slug=slug, name=slug.title(), base_url=base_url), offered)
    return snapshot


@contextmanager
def house(snapshot: Snapshot, spool: Path, **changes: object) -> Iterator[House]:
    """A worker in a thread of its own while the block lasts."""
    control = MemoryControl(snapshot)
    key = control.issue()
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="house", daemon=True)
    thread.start()
    settings: dict[str, object] = {
        "worker": "w-test",
        "port": 0,
        "spool_dir": spool,
        "environ": {},
        "timeouts": FAST,
        "processing_s": 30.0,
        "token_idle_s": 1.5,
        "drain_s": 2.0,
        "delivery_s": 0.02,
        "tick_s": 0.05,
        **changes,
    }

    async def start() -> tuple[Worker, asyncio.Task[None], int]:
        worker = Worker(GatewayConfig(**settings), control)
        opened: asyncio.Future[int] = loop.create_future()
        task = loop.create_task(worker.run(opened.set_result))
        await asyncio.wait((task, opened), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        return worker, task, opened.result()

    try:
        worker, task, port = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
        try:
            yield House(port, key, control, worker, loop)
        finally:

            async def stop() -> None:
                worker.begin_drain()
                await task

            asyncio.run_coroutine_threadsafe(stop(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
