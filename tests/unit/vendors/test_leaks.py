"""A vendor's echo of our credential is hidden, whole, in part and in base64; other text stays."""

import base64

import pytest

from farebox.vendors.leaks import HIDDEN, Leaks
from farebox.vendors.secrets import Secret

KEY = "zk_live-9f8e7d6c5b4a39281706"
LEAKS = Leaks(Secret(KEY, "TEST_KEY"))


@pytest.mark.parametrize(
    "said",
    [KEY, KEY[:8], KEY[-12:], f"{KEY}{KEY}", base64.b64encode(KEY.encode()).decode(), KEY[4:20]],
)
def test_what_gives_the_credential_away_is_hidden(said: str) -> None:
    hidden = LEAKS.hide(f"Incorrect API key provided: {said}. See the docs.")
    assert hidden.startswith(f"Incorrect API key provided: {HIDDEN}")
    assert hidden.endswith(". See the docs.")
    assert not any(said[at : at + 8] in hidden for at in range(len(said) - 7))


def test_other_text_stays() -> None:
    text = "The model is overloaded; try again in 20 s."
    assert LEAKS.hide(text) == text
    assert Leaks(None).hide(KEY) == KEY
    assert KEY[:8] not in repr(LEAKS)
