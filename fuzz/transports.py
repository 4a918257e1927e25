"""Owns a transport that goes nowhere, and a loop whose clock stands still; refuses sockets."""

import asyncio


class Nowhere(asyncio.Transport):
    """Takes what is written; nobody is at the other end."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000)})
        self.sent = bytearray()
        self.closing = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing or not self.aborted, "written after the end"
        self.sent += data

    aborted = False

    def writelines(self, list_of_data: object) -> None:
        for piece in list_of_data:  # type: ignore[attr-defined]
            self.write(piece)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_reading(self) -> bool:
        return self.reading

    def write_eof(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


def turn(loop: asyncio.AbstractEventLoop, times: int = 1) -> None:
    """Let everything that is ready run, this many rounds."""
    for _ in range(times):
        loop.call_soon(loop.stop)
        loop.run_forever()


def loop_that_complains() -> tuple[asyncio.AbstractEventLoop, list[dict[str, object]]]:
    """An event loop whose unhandled errors are collected: a fuzz target raises them."""
    loop = asyncio.new_event_loop()
    complaints: list[dict[str, object]] = []

    def collect(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        complaints.append(context)

    loop.set_exception_handler(collect)
    return loop, complaints


def pieces(data: bytes) -> list[bytes]:
    """The data cut where its own first bytes say: the same input always in the same pieces."""
    if len(data) < 2:
        return [data]
    step = 1 + data[0] * 7 % 97
    return (
        [data[at : at + step] for at in range(0, len(data), step)] if len(data) <= 4096 else [data[:step], data[step:]]
    )
