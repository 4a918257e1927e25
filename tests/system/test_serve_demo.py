"""`farebox serve --demo` as a stranger meets it: the whole house as processes, called over HTTP and by its own commands."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.served import FAREBOX, LIMIT_S, House, ask


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house"), "--demo", "--workers", "2") as running:
        yield running


def test_the_first_call_is_answered(house: House) -> None:
    status, answer = house.call("POST", "/v1/chat/completions", ask())
    assert status == 200
    assert answer["choices"][0]["message"]["content"]
    assert answer["provider"].startswith("Simulated")
    assert answer["usage"]["total_tokens"] > 0


def test_the_catalogue_marks_what_is_simulated(house: House) -> None:
    models = house.call("GET", "/api/v1/models")[1]["data"]
    simulated = [model for model in models if model["id"].startswith("simulated/")]
    assert simulated
    assert all("Simulated" in model["name"] for model in simulated)


def test_three_lines_to_copy_are_printed(house: House) -> None:
    text = "\n".join(house.lines)
    for start in ("curl http", "python -c", "node -e"):
        assert text.count(start) == 1
    assert text.count(house.key) == 4


def test_the_printed_curl_line_works(house: House) -> None:
    line = next(line for line in house.lines if line.startswith("curl "))
    done = subprocess.run(["sh", "-c", f"{line} -s"], capture_output=True, text=True, timeout=LIMIT_S, check=True)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"]


def test_commands_reach_the_house_of_their_home(house: House) -> None:
    listed = house.run("models", "parrot")
    assert listed.returncode == 0
    assert "simulated/parrot" in listed.stdout
    said = house.run("chat", "simulated/sprint", "Hello!")
    assert said.returncode == 0
    assert "simulated" in said.stdout
    assert "by Simulated" in said.stderr
    assert house.run("chat", "simulated/sprint", "-", "--quiet", text="From a pipe").stderr == ""


def test_keys_are_created_listed_and_revoked(house: House) -> None:
    made = house.run("keys", "create", "for a test", "--limit", "5")
    key = made.stdout.strip()
    assert key.startswith("sk-farebox-v1-")
    listed = house.run("keys", "list").stdout
    assert "for a test" in listed
    assert key not in listed
    hash_ = next(line.split()[0] for line in listed.splitlines() if "for a test" in line)
    assert house.run("keys", "revoke", hash_).stdout == f"revoked {hash_}\n"
    assert hash_ not in house.run("keys", "list").stdout


def test_an_unknown_model_is_the_callers_error(house: House) -> None:
    said = house.run("chat", "simulated/parot", "Hello!")
    assert said.returncode == 1
    assert "Traceback" not in said.stderr


def test_a_home_and_a_port_have_one_house(house: House, tmp_path: Path) -> None:
    again = [*FAREBOX, "serve", "--demo", "--port", "0"]
    done = subprocess.run(again, env=house.environ, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (done.returncode, "already runs" in done.stderr) == (4, True)
    other = {**house.environ, "FAREBOX_HOME": str(tmp_path)}
    again[-1] = str(house.port)
    done = subprocess.run(again, env=other, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (done.returncode, "in use" in done.stderr) == (4, True)


def test_a_killed_worker_comes_back_while_the_other_serves(tmp_path: Path) -> None:
    with House(tmp_path, "--demo", "--workers", "2") as house:
        before = house.pids
        os.kill(before["w0"], signal.SIGKILL)
        house.line(r"w0 serves \(process")
        assert house.pids["w0"] != before["w0"]
        assert house.pids["w1"] == before["w1"]
        for _ in range(10):
            assert house.call("POST", "/v1/chat/completions", ask())[0] == 200


def test_a_killed_control_comes_back_and_known_keys_are_served_meanwhile(tmp_path: Path) -> None:
    with House(tmp_path, "--demo", "--workers", "1") as house:
        # From now on the worker knows the key; one that it does not know would rightly be told 503.
        assert house.call("POST", "/v1/chat/completions", ask())[0] == 200
        os.kill(house.pids["control"], signal.SIGKILL)
        assert house.call("POST", "/v1/chat/completions", ask())[0] == 200
        house.line(r"control serves \(process")
        assert house.call("GET", "/health")[0] == 200


def test_workers_are_replaced_one_by_one_on_request(tmp_path: Path) -> None:
    with House(tmp_path, "--demo", "--workers", "2") as house:
        before = set(house.pids.values())
        house.process.send_signal(signal.SIGHUP)
        house.line("All workers are new")
        workers = {name: pid for name, pid in house.pids.items() if name.startswith("w")}
        assert len(workers) == 2
        assert not set(workers.values()) & before
        assert house.call("POST", "/v1/chat/completions", ask())[0] == 200


def test_a_running_stream_is_finished_before_the_end(tmp_path: Path) -> None:
    with House(tmp_path, "--demo", "--workers", "1") as house:
        long = ask("Tell me a long story about a bus.", "simulated/ponder", stream=True)
        with house.open("POST", "/v1/chat/completions", long) as answer:
            first = answer.readline()
            house.process.send_signal(signal.SIGTERM)
            house.line("Stopping")
            rest = answer.read()
        assert first
        assert rest.rstrip().endswith(b"data: [DONE]")
        assert b'"error"' not in rest
        assert house.process.wait(LIMIT_S) == 0


def test_after_a_killed_supervisor_the_next_one_takes_over(tmp_path: Path) -> None:
    with House(tmp_path, "--demo", "--workers", "1") as house:
        house.process.kill()
        house.process.wait(LIMIT_S)
        old = house.pids
        # The workers serve on without their supervisor.
        assert house.call("POST", "/v1/chat/completions", ask())[0] == 200
        with House(tmp_path, "--demo", "--workers", "1") as heir:
            heir.line("Taking over")
            assert heir.call("POST", "/v1/chat/completions", ask())[0] == 200
            assert heir.key == house.key
            assert not set(heir.pids.values()) & set(old.values())
            # What the first one printed into ends when the last of its children has left.
            house.ended()
            assert heir.stop() == 0


def test_another_server_is_one_line_of_configuration(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sims = subprocess.Popen([*FAREBOX, "sims", "--port", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert sims.stdout is not None
        address = sims.stdout.readline().strip()
        environ = {"FAREBOX_SERVERS": f"mine={address}"}
        with House(tmp_path, "--no-local", "--workers", "1", environ=environ) as house:
            models = [model["id"] for model in house.call("GET", "/api/v1/models")[1]["data"]]
            assert "mine/sim-chat" in models
            status, answer = house.call("POST", "/v1/chat/completions", ask(model="mine/sim-chat"))
            assert (status, answer["provider"]) == (200, "mine")
    finally:
        sims.terminate()
        sims.wait(LIMIT_S)
        if sims.stdout is not None:
            sims.stdout.close()
