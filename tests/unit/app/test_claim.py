"""A home and a port have one supervisor, and what a killed one left is found again."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from farebox.app.claim import Claim, Kept, Taken, dismiss, free_port, reserve

SLEEPS = "import sys, time; print('up', flush=True); time.sleep(600)"


def test_a_home_has_one_supervisor(tmp_path: Path) -> None:
    with Claim(tmp_path), pytest.raises(Taken, match=rf"process {os.getpid()}"):
        Claim(tmp_path)
    with Claim(tmp_path):
        pass


def test_the_home_is_private(tmp_path: Path) -> None:
    with Claim(tmp_path / "new"):
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "new" / "supervisor.lock").stat().st_mode & 0o777 == 0o600


def test_leftovers_are_found_and_dismissed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPS], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with Claim(tmp_path) as claim:
            claim.record({"w0": process.pid})
        with Claim(tmp_path) as claim:
            found = claim.leftovers()
            assert [(child.name, child.pid) for child in found] == [("w0", process.pid)]
            dismiss(found, wait_s=30)
            assert process.wait() == -signal.SIGTERM
            assert claim.leftovers() == []


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPS
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with Claim(tmp_path) as claim:
            claim.record({"w0": process.pid})
            dismiss(claim.leftovers(), wait_s=0.1)
        assert process.wait() == -signal.SIGKILL


def test_a_number_that_went_to_a_stranger_is_not_a_leftover(tmp_path: Path) -> None:
    with Claim(tmp_path) as claim:
        claim.record({"w0": os.getpid()})
        (tmp_path / "processes.json").write_text(f'[["w0",{os.getpid()},1]]')
        assert claim.leftovers() == []
        dismiss([Kept("w0", 2**22 - 1, 1)], wait_s=1)


@pytest.mark.parametrize("content", ["", "{", "[[1]]", '{"a": 1}'])
def test_a_damaged_record_means_no_leftovers(tmp_path: Path, content: str) -> None:
    (tmp_path / "processes.json").write_text(content)
    with Claim(tmp_path) as claim:
        assert claim.leftovers() == []


def test_a_strangers_port_is_refused() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(Taken, match="Address already in use"):
            reserve("127.0.0.1", other.getsockname()[1])


def test_a_reserved_port_is_shared_by_workers_and_takes_no_connections() -> None:
    with reserve("127.0.0.1", 0) as held, socket.socket() as worker:
        address = held.getsockname()
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind(address)
        worker.listen()
        for _ in range(20):
            client = socket.create_connection(address, timeout=10)
            accepted, _ = worker.accept()
            accepted.close()
            client.close()


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(Taken):
        reserve("192.0.2.1", free_port())
