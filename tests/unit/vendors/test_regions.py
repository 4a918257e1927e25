"""Which regions' endpoints can be called at a configured address."""

import pytest

from farebox.vendors.connect import must_connect
from farebox.vendors.registry import load_builtin


@pytest.mark.parametrize(
    ("configured", "region", "served"),
    [
        ("us-east-1", None, True),
        ("us-east-1", "global", True),
        ("us-east-1", "in-region", True),
        ("us-east-1", "us", True),
        ("us-east-1", "us-east-1", True),
        ("us-east-1", "eu", False),
        ("us-east-1", "eu-west-1", False),
        ("eu-west-1", "eu", True),
        ("ap-northeast-1", "jp", True),
        ("ap-northeast-1", "apac", True),
        ("ap-southeast-1", "au", False),
    ],
)
def test_an_address_serves_its_own_regions(configured: str, region: str | None, *, served: bool) -> None:
    vendor = load_builtin()["amazon-bedrock"]
    environ = {"AWS_REGION": configured, "AWS_BEARER_TOKEN_BEDROCK": "token-0123456789abcdef"}
    assert must_connect(vendor, environ).serves(region) is served


def test_an_address_without_a_region_serves_them_all() -> None:
    connection = must_connect(load_builtin()["mistral"], {"MISTRAL_API_KEY": "key-0123456789abcdef"})
    assert connection.serves("eu")
