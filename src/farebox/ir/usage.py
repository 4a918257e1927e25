"""Usage: disjoint counters of billable units. Refuses to know how any vendor spells or sums them."""

from enum import StrEnum

from msgspec import Raw, Struct


class Unit(StrEnum):
    """A billable unit. Leaves never overlap: the prompt total is the sum of the INPUT leaves, and so on."""

    INPUT_FRESH = "input_fresh"
    INPUT_CACHE_READ = "input_cache_read"
    INPUT_CACHE_WRITE_5M = "input_cache_write_5m"
    INPUT_CACHE_WRITE_1H = "input_cache_write_1h"
    INPUT_CACHE_WRITE_12H = "input_cache_write_12h"
    INPUT_IMAGE = "input_image"
    INPUT_AUDIO = "input_audio"
    INPUT_AUDIO_CACHE_READ = "input_audio_cache_read"
    INPUT_VIDEO = "input_video"
    OUTPUT_TEXT = "output_text"
    OUTPUT_REASONING = "output_reasoning"
    OUTPUT_AUDIO = "output_audio"
    OUTPUT_IMAGE = "output_image"
    SEARCH = "search"
    REQUEST = "request"
    INPUT_CHARACTER = "input_character"
    INPUT_AUDIO_SECOND = "input_audio_second"
    OUTPUT_SECOND = "output_second"
    INPUT_IMAGE_COUNT = "input_image_count"
    OUTPUT_IMAGE_COUNT = "output_image_count"
    SEARCH_UNIT = "search_unit"


INPUT_UNITS: tuple[Unit, ...] = (
    Unit.INPUT_FRESH,
    Unit.INPUT_CACHE_READ,
    Unit.INPUT_CACHE_WRITE_5M,
    Unit.INPUT_CACHE_WRITE_1H,
    Unit.INPUT_CACHE_WRITE_12H,
    Unit.INPUT_IMAGE,
    Unit.INPUT_AUDIO,
    Unit.INPUT_AUDIO_CACHE_READ,
    Unit.INPUT_VIDEO,
)
OUTPUT_UNITS: tuple[Unit, ...] = (Unit.OUTPUT_TEXT, Unit.OUTPUT_REASONING, Unit.OUTPUT_AUDIO, Unit.OUTPUT_IMAGE)

_INPUT_NAMES = frozenset(unit.value for unit in INPUT_UNITS)
_OUTPUT_NAMES = frozenset(unit.value for unit in OUTPUT_UNITS)

VENDOR = "vendor"
METERED = "metered"


class Usage(Struct, frozen=True, gc=False):
    """Counters by unit name (`Unit` values as plain strings), what was received, and who counted."""

    leaves: dict[str, int]
    raw: Raw | None = None
    source: str = VENDOR

    def prompt_tokens(self) -> int:
        """Sum of the input token leaves."""
        total = 0
        for unit, count in self.leaves.items():
            if unit in _INPUT_NAMES:
                total += count
        return total

    def completion_tokens(self) -> int:
        """Sum of the output token leaves."""
        total = 0
        for unit, count in self.leaves.items():
            if unit in _OUTPUT_NAMES:
                total += count
        return total


NOTHING = Usage({})
