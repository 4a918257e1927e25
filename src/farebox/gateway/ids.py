"""Generation ids: `gen-<epoch seconds>-<96 random bits>`. Refuses to be guessable."""

import os
import time


def new_generation_id() -> str:
    """An id that sorts roughly by time and cannot be guessed."""
    return f"gen-{int(time.time())}-{os.urandom(12).hex()}"
