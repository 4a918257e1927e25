"""Owns the request bodies: the same for every target but for the model's name; refuses randomness without a seed."""

import json
import random
from pathlib import Path

WORDS = tuple(
    "a river under the bridge was slow that day and no one in town had seen so much rain before it came over "  # noqa: SIM905
    "fields roads houses people who were at work or on their way with bread paper tools for others again".split()
)
SIZES = {"json4k": 4096, "json32k": 32 * 1024, "json1m": 1024 * 1024}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def prose(length: int, draw: random.Random) -> str:
    parts: list[str] = []
    size = 0
    while size < length:
        parts.append(draw.choice(WORDS) + draw.choice([" ", " ", " ", ", ", ".\n", ' "quoted" ']))
        size += len(parts[-1])
    return "".join(parts)[:length]


def conversation(length: int, draw: random.Random) -> list[dict[str, str]]:
    """Turns of at most 2,000 characters, together of about this length."""
    turns = [{"role": "system", "content": "You answer briefly."}]
    left = length
    while left > 0:
        turns.append({"role": ("user", "assistant")[len(turns) % 2 == 0], "content": prose(min(2000, left), draw)})
        left -= 2000
    return turns


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(1)
    short = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Write one sentence about a lighthouse in the fog, and keep it short, please."},
    ]
    base = {"model": "bench/fast", "messages": short, "max_tokens": 256, "temperature": 0.7}
    made = {"json": base, "burst": {**base, **STREAM}}
    for name in ("paced", "idle"):
        made[name] = {**base, **STREAM, "model": f"bench/{name}"}
    for name, length in SIZES.items():
        made[name] = {**base, "messages": conversation(length, draw)}
    for name, document in made.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
