"""The command line: helps that are worth reading, exit codes that scripts can trust, no tracebacks."""

import subprocess
import sys
from pathlib import Path

import pytest

from farebox.cli.main import COMMANDS, GROUPS, overview, run
from farebox.cli.table import table
from farebox.cli.tree import help_text

WORDS = [[name] for name, *_ in COMMANDS] + [[group, name] for group, _, commands in GROUPS for name, *_ in commands]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FAREBOX_URL", "FAREBOX_API_KEY", "FAREBOX_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FAREBOX_HOME", str(tmp_path))
    return tmp_path


def test_the_overview_names_every_command() -> None:
    text = overview()
    for words in WORDS:
        assert " ".join(words) in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_overview_loads_nothing_of_the_house() -> None:
    code = "import sys; from farebox.cli.main import run; run(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    for heavy in ("cyclopts", "rich", "msgspec", "starlette", "sqlalchemy", "asyncio"):
        assert f"'{heavy}'" not in loaded


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_every_help_explains_itself_with_an_example(words: list[str]) -> None:
    text = help_text(words)
    assert text.startswith(f"Usage: farebox {' '.join(words)}")
    assert "For example:" in text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["--help"], 0),
        ([], 2),
        (["nonsense"], 2),
        (["keys", "nonsense"], 2),
        (["serve", "--colour"], 2),
        (["serve", "--port", "many"], 2),
        (["serve", "--port", "70000"], 3),
        (["config", "check", "--config", "/nonexistent.toml"], 3),
        (["config", "check"], 0),
        (["vendor", "check", "nobody"], 1),
        (["vendor", "list"], 0),
        (["catalogue", "check"], 0),
        (["catalogue", "check", "/nonexistent.jsonl"], 1),
        (["models", "--url", "http://127.0.0.1:1"], 6),
        (["models", "--url", "127.0.0.1:1"], 2),
        (["bench"], 5),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    assert run(arguments) == code


def test_config_show_names_sources_and_hides_secrets(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "servers = [{ name = 'a', base_url = 'http://x/v1', secret = 'hide-me' }]\n[secrets]\nK = 'hide-me-too'\n"
    (home / "farebox.toml").write_text(text)
    monkeypatch.setenv("FAREBOX_SERVER__PORT", "9000")
    assert run(["config", "show", "--explain"]) == 0
    shown = capsys.readouterr().out
    assert "hide-me" not in shown
    assert "(hidden)" in shown
    port = next(line for line in shown.splitlines() if line.startswith("server.port"))
    assert "9000" in port
    assert "environment FAREBOX_SERVER__PORT" in port
    assert "Port to listen on" in port


def test_a_bad_catalogue_file_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = home / "bad.jsonl"
    bad.write_text("{}\n{not json\n")
    assert run(["catalogue", "import", str(bad)]) == 1
    assert "Nothing was changed" in capsys.readouterr().err
    assert not (home / "catalogue").exists()


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m farebox.cli.main vendor list | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_tables_align() -> None:
    assert table(("A", "LONG"), [("xyz", "1"), ("", "22")]) == "A    LONG\nxyz  1\n     22"
