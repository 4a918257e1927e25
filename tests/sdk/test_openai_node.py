"""The official OpenAI SDK for Node: its suite, `tests/sdk/node`, run against the same house."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from sdk.kitchen import Kitchen
from system.served import House

SUITE = Path(__file__).parent / "node"
LIMIT_S = 120.0


def _command(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is missing: the suite of the Node SDK cannot run (on Debian: apt-get install nodejs npm)"
    return found


def _installed() -> None:
    """The locked packages, fetched again only when the lock has changed."""
    digest = hashlib.sha256((SUITE / "package-lock.json").read_bytes()).hexdigest()
    stamp = SUITE / "node_modules" / ".lock-digest"
    if not stamp.is_file() or stamp.read_text() != digest:
        done = subprocess.run(
            [_command("npm"), "ci", "--silent", "--no-audit", "--no-fund"],
            cwd=SUITE,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        stamp.write_text(digest)


def test_the_suite_of_the_node_sdk(cooked: Kitchen, served: House) -> None:
    _installed()
    told = {
        "HOUSE_URL": cooked.house.base_url,
        "HOUSE_KEY": cooked.house.key,
        "VENDOR_URL": cooked.upstream.root,
        "DEMO_URL": f"{served.url}/v1",
        "DEMO_KEY": served.key,
    }
    suites = sorted(str(path) for path in SUITE.glob("*.test.mjs"))
    done = subprocess.run(
        [_command("node"), "--test", "--test-concurrency=1", "--test-reporter=spec", *suites],
        cwd=SUITE,
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nℹ fail 0\n" in done.stdout
    assert "\nℹ skipped 0\n" in done.stdout
