"""The home: private, locked, with secrets that are never replaced by accident."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from farebox.ir.errors import Unavailable
from farebox.storage.home import HomeLock, prepare, secret, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        home = prepare(tmp_path / "a" / "home")
        write_private(home / "x", b"1")
    finally:
        os.umask(old)
    assert (mode(home), mode(home / "x")) == (0o700, 0o600)
    home.chmod(0o755)
    assert mode(prepare(home)) == 0o700


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    first = secret(tmp_path / "pepper")
    assert len(first) == 32
    assert secret(tmp_path / "pepper") == first
    assert mode(tmp_path / "pepper") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["pepper"]


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_a_damaged_secret_is_an_error_and_stays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pepper"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"hexadecimal|damaged"):
        secret(path)
    assert path.read_text() == text


def test_only_one_control_holds_a_home(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from farebox.storage.home import HomeLock; HomeLock(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with HomeLock(tmp_path):
        with pytest.raises(Unavailable, match="already running"):
            HomeLock(tmp_path)
        assert b"already running" in subprocess.run(command, capture_output=True, check=False).stderr
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_failed_replacement_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.mkdir()
    with pytest.raises(OSError, match="file"):
        write_private(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
