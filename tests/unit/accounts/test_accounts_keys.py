"""The format of keys and what is stored of them."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.accounts import keys

SAMPLE = "sk-farebox-v1-0123456789-" + "a" * 43
KEY = f"{SAMPLE}-{keys.check(SAMPLE)}"


def test_a_new_key_parses() -> None:
    key = keys.generate()
    parsed = keys.parse(key)
    assert parsed is not None
    assert len(key) == keys.LENGTH == 75
    assert parsed.digest == hashlib.sha256(key.encode()).hexdigest()
    assert parsed.key_id == key[14:24]
    assert parsed.ending == key[-11:-7]
    assert key not in repr(parsed)


def test_keys_differ() -> None:
    made = {keys.generate() for _ in range(200)}
    assert len(made) == len({key[14:24] for key in made}) == 200


def test_the_check_is_a_fixed_function() -> None:
    # CRC-32 of "123456789" is 0xCBF43926, in base 62 with digits, capitals, small letters.
    found = keys.check("123456789")
    assert found == "3jZRME"
    assert sum(keys.ALPHABET.index(char) * 62**place for place, char in enumerate(reversed(found))) == 0xCBF43926


@given(st.integers(0, len(KEY) - 1), st.sampled_from(keys.ALPHABET + "-_ \n\0é"))
def test_any_one_changed_character_is_refused(place: int, char: str) -> None:
    changed = KEY[:place] + char + KEY[place + 1 :]
    assert (keys.parse(changed) is None) == (changed != KEY)


@pytest.mark.parametrize(
    "text",
    ["", "sk-", KEY + "\n", " " + KEY, KEY[:-1], KEY + "0", KEY.upper(), "' OR 1=1 --", "x" * 1_000_000, "０" * 75],
)
def test_other_texts_are_refused(text: str) -> None:
    assert keys.parse(text) is None


def test_what_is_stored_needs_the_pepper() -> None:
    digest = keys.digest(KEY)
    sealed = keys.seal(b"pepper", digest)
    assert sealed == hmac.new(b"pepper", hashlib.sha256(KEY.encode()).digest(), "sha256").digest()
    assert sealed != keys.seal(b"other", digest)


def test_a_label_shows_little() -> None:
    assert keys.label("0123456789", "wxyz") == "sk-farebox-v1-0123…wxyz"
