"""Owns how each target is started and asked; refuses to favour one: same key, same mock, one worker, pinned alike."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench.processes import Server
from bench.scenarios import Scenario

PEERS = Path(__file__).parent / "peers"
LITELLM = "1.109.1"
KEY = re.compile(r"sk-farebox-v1-[0-9A-Za-z-]{61}")
MOCK_PORT = 9100
FARE_CPU, LOAD_CPU = (0, 1) if (os.cpu_count() or 1) > 1 else (None, None)


class Target:
    """The mock itself: what a caller would see without anything between."""

    name = "direct"
    port = MOCK_PORT
    boot_s = 10.0
    connections_most = 10_000
    passes_paths = True

    def __init__(self, room: Path) -> None:
        self.room = room
        self.server: Server | None = None
        self.key = "sk-bench"

    def start(self) -> None:
        """Nothing to start: the mock runs anyway."""

    def path(self, scenario: Scenario) -> str:
        return (scenario.pace if self.passes_paths else "") + "/v1/chat/completions"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def answers(self) -> bool:
        """Whether a small request is answered with a generation."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/chat/completions",
            data=(self.room / "bodies" / "json.json").read_bytes(),
            headers={**self.headers, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(json.load(answer).get("choices"))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def wait(self) -> bool:
        until = time.monotonic() + self.boot_s
        while time.monotonic() < until:
            if self.server is not None and self.server.ended:
                return False
            if self.answers():
                return True
            time.sleep(0.25)
        return False

    def close(self) -> None:
        if self.server is not None:
            self.server.close()

    def _serve(self, command: list[str], environ: dict[str, str] | None = None) -> None:
        log = self.room / f"{self.name}.log"
        self.server = Server(command, log=log, environ=environ, cpu=FARE_CPU)


class Nginx(Target):
    """A plain proxy that reads nothing: the yardstick."""

    name = "nginx"
    port = 9200

    def start(self) -> None:
        prefix = self.room / "nginx"
        prefix.mkdir(exist_ok=True)
        text = (PEERS / "nginx.conf").read_text().replace("PORT", str(self.port)).replace("MOCK", str(MOCK_PORT))
        (prefix / "nginx.conf").write_text(text)
        self._serve(["nginx", "-p", str(prefix), "-c", str(prefix / "nginx.conf")])


class Farebox(Target):
    """The product as it is served: supervisor, control and one worker; three endpoints of each model."""

    name = "farebox"
    port = 9300
    boot_s = 30.0
    passes_paths = False
    bases = (("fast", ""), ("paced", "/d10n20"), ("idle", "/d9000n3"))

    def start(self) -> None:
        home = self.room / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        (self.room / f"{self.name}.log").unlink(missing_ok=True)
        config = self.room / "farebox.toml"
        config.write_text(self._settings(home))
        environ = {"FAREBOX_HOME": str(home)}
        command = [str(Path(sys.executable).parent / "farebox"), "serve", "--config", str(config)]
        self._serve(command, environ)
        self.key = self._owner_key()

    def _settings(self, home: Path) -> str:
        lines = [f'home = "{home}"', "[server]", f"port = {self.port}", "workers = 1", '[local]\nmode = "off"']
        for model, pace in self.bases:
            for letter in "abc":
                lines += [
                    "[[servers]]",
                    f'name = "bench-{model}-{letter}"',
                    f'base_url = "http://127.0.0.1:{MOCK_PORT}{pace}/v1"',
                    'secret = "sk-upstream"',
                    f'models = [{{ id = "mock", slug = "bench/{model}", context_length = 1000000, '
                    "input_usd = 1, output_usd = 2 }]",
                ]
        return "\n".join(lines) + "\n"

    def _owner_key(self) -> str:
        """The key that a first start prints."""
        log = self.room / f"{self.name}.log"
        until = time.monotonic() + self.boot_s
        while time.monotonic() < until and not (self.server and self.server.ended):
            if found := KEY.search(log.read_text(errors="replace")):
                return found.group()
            time.sleep(0.1)
        raise RuntimeError(f"Farebox printed no key; see {log}")


class LiteLlm(Target):
    """LiteLLM's proxy with the production settings of its documentation, one worker, no database."""

    name = "litellm"
    port = 9400
    boot_s = 120.0
    connections_most = 16
    passes_paths = False

    def start(self) -> None:
        venv = self.room / "litellm"
        if not (venv / "bin" / "litellm").exists():
            self._install(venv)
        config = self.room / "litellm.json"  # JSON is YAML
        models = [
            {
                "model_name": f"bench/{model}",
                "litellm_params": {
                    "model": "openai/gpt-4o-mini",
                    "api_base": f"http://127.0.0.1:{MOCK_PORT}{pace}/v1",
                    "api_key": "sk-upstream",
                },
            }
            for model, pace in Farebox.bases
        ]
        document = {
            "model_list": models,
            "litellm_settings": {
                "request_timeout": 600,
                "json_logs": True,
                "callbacks": [],
                "drop_params": True,
                "telemetry": False,
            },
            "general_settings": {"master_key": self.key, "disable_spend_logs": True, "disable_error_logs": True},
        }
        config.write_text(json.dumps(document))
        quiet = {
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "DISABLE_AIOHTTP_TRUST_ENV": "True",
            "NO_DOCS": "True",
            "NO_REDOC": "True",
        }
        command = [
            str(venv / "bin" / "litellm"),
            "--config",
            str(config),
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        self._serve([*command, "--num_workers", "1", "--telemetry", "False"], quiet)

    def _install(self, venv: Path) -> None:
        """Into an environment of its own. Releases 1.82.7, 1.82.8 and 1.107.0 carried malware: the wheel is looked at first."""
        print(f"bench: installing litellm[proxy]=={LITELLM} into {venv} (about 700 MB, once)")
        wheels = self.room / "wheels"
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip"]
        subprocess.run([*pip, "install", "-q", "uv"], check=True)
        subprocess.run([*pip, "download", "-q", "--no-deps", "-d", str(wheels), f"litellm=={LITELLM}"], check=True)
        listing = subprocess.run(
            [sys.executable, "-m", "zipfile", "-l", *map(str, wheels.glob("litellm-*.whl"))],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        if ".pth" in listing or "sitecustomize" in listing:
            raise RuntimeError("the wheel carries code that runs at every start of Python: not installed")
        overrides = self.room / "overrides.txt"  # lower bounds newer than some mirrors carry
        overrides.write_text("certifi>=2026\nlitellm-proxy-extras\n")
        uv = [str(venv / "bin" / "uv"), "pip", "install", "-q", "--python", str(venv / "bin" / "python")]
        subprocess.run([*uv, "--override", str(overrides), f"litellm[proxy]=={LITELLM}"], check=True)


TARGETS: tuple[type[Target], ...] = (Target, Nginx, Farebox, LiteLlm)


def freeze(target: Target) -> None:
    if target.server is not None:
        target.server.signal(signal.SIGSTOP)
