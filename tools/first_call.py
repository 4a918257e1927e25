"""Owns one question: does the Farebox whose start-up output is in this file answer a generation? Refuses anything else.

python -m tools.first_call LOG      exit status 0 when it answered; prints what it said
"""

import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

KEY = re.compile(r"sk-farebox-v1-[0-9A-Za-z]+-[0-9A-Za-z]+-[0-9A-Za-z]+")
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


def ask(base: str, key: str, path: str, document: object | None = None) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(base + path, data=body, headers=headers)  # noqa: S310 (loopback only, see ADDRESS)
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        decoded: dict[str, object] = json.load(answer)
        return decoded


def model_to_ask(log: str) -> str | None:
    """The model named in the lines to copy that the start-up printed."""
    found = re.search(r'"model"\s*:\s*\\?"([^"\\]+)', log) or re.search(r'model\s*[=:]\s*"([^"]+)"', log)
    return found.group(1) if found else None


def main(path: str) -> int:
    log = Path(path).read_text(errors="replace")
    key, address, model = KEY.search(log), ADDRESS.search(log), model_to_ask(log)
    if not (key and address and model):
        return 1
    question = {"model": model, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16}
    try:
        answer = ask(f"http://127.0.0.1:{address.group(1)}", key.group(), "/v1/chat/completions", question)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 1
    print(json.dumps(answer)[:600])
    return 0 if answer.get("choices") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
