"""The home folder: private modes, atomic secrets, and the lock that lets only one control write. Refuses other state."""

import fcntl
import os
import secrets
from pathlib import Path
from types import TracebackType

from farebox.ir.errors import Unavailable

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600
PEPPER_BYTES = 32


def prepare(home: Path) -> Path:
    """Make the folder if it is absent; nobody but its owner may look into it."""
    home = home.expanduser()
    home.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    home.chmod(PRIVATE_DIRECTORY)
    return home


def write_private(path: Path, data: bytes) -> None:
    """Replace a file whole, with mode 0600 from its first moment, durable before it is named."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def secret(path: Path) -> bytes:
    """The 32 random bytes kept (as hex) in this file; made at first use. A damaged file is an error, never replaced."""
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        value = secrets.token_bytes(PEPPER_BYTES)
        write_private(path, value.hex().encode() + b"\n")
        return value
    value = bytes.fromhex(text)
    if len(value) != PEPPER_BYTES:
        raise ValueError(f"{path.name} is damaged: {PEPPER_BYTES} bytes as hex are expected.")
    path.chmod(PRIVATE_FILE)
    return value


class HomeLock:
    """The exclusive right to write to a home. It ends with the process, however the process ends."""

    def __init__(self, home: Path) -> None:
        self._descriptor = os.open(home / "control.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise Unavailable(f"Another control is already running on {home}.") from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "HomeLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
