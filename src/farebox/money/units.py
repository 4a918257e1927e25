"""What money knows of billable units: their family, what a missing price falls back to, and how many are believable.

Refuses to count anything. The names are those of `ir.usage.Unit`, as plain strings; a test keeps the two in step.
"""

from types import MappingProxyType

INPUT: tuple[str, ...] = (
    "input_fresh",
    "input_cache_read",
    "input_cache_write_5m",
    "input_cache_write_1h",
    "input_cache_write_12h",
    "input_image",
    "input_audio",
    "input_audio_cache_read",
    "input_video",
)
OUTPUT: tuple[str, ...] = ("output_text", "output_reasoning", "output_audio", "output_image")

# A price that a sheet does not name: the unit whose price holds instead. A long cache write costs at least what a short
# one does, cached audio at most what fresh audio does; every chain ends at the plain input or output price.
FALLBACK: MappingProxyType[str, str] = MappingProxyType(
    {
        **dict.fromkeys(INPUT[1:], "input_fresh"),
        **dict.fromkeys(OUTPUT[1:], "output_text"),
        "input_cache_write_1h": "input_cache_write_5m",
        "input_cache_write_12h": "input_cache_write_5m",
        "input_audio_cache_read": "input_audio",
    }
)

# A fee that a sheet does not name is not charged: every answer is a request, most sheets have no fee for one.
OPTIONAL: frozenset[str] = frozenset({"request"})

TOKENS_MAX = 10**8
BOUND: MappingProxyType[str, int] = MappingProxyType(
    {
        **dict.fromkeys(INPUT + OUTPUT, TOKENS_MAX),
        "search": 1000,
        "request": 8,
        "input_character": TOKENS_MAX,
        "input_audio_second": 3600,
        "output_second": 3600,
        "input_image_count": 1000,
        "output_image_count": 10,
        "search_unit": 10_000,
    }
)
