"""Which addresses and URLs the house may fetch."""

import asyncio

import pytest

from farebox.http.client import ClientLimits, Origin, Pool, Timeouts
from farebox.http.egress import allowed, check_url
from farebox.ir.errors import InvalidRequest

NEVER = [
    "127.0.0.1",
    "127.255.0.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
    "fe80::1",
    "fe80::1%lo",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "3fff::1",
    "100::1",
    "5f00::1",
    "localhost",
    "127.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "0",
]


@pytest.mark.parametrize("address", NEVER)
def test_addresses_that_are_not_plainly_public(address: str) -> None:
    assert not allowed(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"]
)
def test_public_addresses(address: str) -> None:
    assert allowed(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com",
        "data:text/html,x",
        "javascript:alert(1)",
        "//example.com/",
        "https:///x",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://127.0.0.0x1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://1.2.3.4.5/",
        "https://①②⑦.0.0.1/",
        "https://127.0.0.1./",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2606:4700::1111%25lo]/",
        "https://user:pass@example.com/",
        "https://@example.com/",
        "https://a@127.0.0.1@b.example/",
        "https://b.example\\@127.0.0.1/",
        "https://example.com/#@b",
        "https://exa mple.com/",
        "https://example.com/\t",
        "https://example.com/\r\nX: 1",
        "https://example.com:22/",
        "https://example.com:0/",
        "https://example.com:80/",
        "https://example.com:65536/",
        "https://example.com:x/",
        "https://exämple.com/",
        "https://-x.example/",
        "https://a..example/",
        "https://example.com/" + "a" * 9_000,
    ],
)
def test_urls_that_are_not_fetched(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_url(url)
    assert caught.value.metadata["reason"] == "url_not_allowed"


def test_urls_that_are_tried() -> None:
    target = check_url("https://Cdn.Example.com:443/a/b.png?x=1")
    assert (target.origin, target.path) == (Origin("https", "cdn.example.com", 443), "/a/b.png?x=1")
    assert check_url("https://8.8.8.8").path == "/"
    assert check_url("https://[2606:4700::1111]/").origin.host == "2606:4700::1111"
    assert check_url("http://example.com", plain_http=True).origin.port == 80


def test_one_bad_address_among_good_ones_refuses_before_any_connection() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        asked = []

        async def answer(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            asked.append(host)
            return [(2, 1, 6, "", ("8.8.8.8", port)), (2, 1, 6, "", ("127.0.0.1", port))]

        loop.getaddrinfo = answer  # type: ignore[method-assign]
        pool = Pool(limits=ClientLimits(), policy=allowed)
        with pytest.raises(InvalidRequest):
            await pool.send(Origin("http", "rebind.example"), b"GET / HTTP/1.1\r\nHost: x\r\n", b"", Timeouts())
        assert asked == ["rebind.example"]
        await pool.close()

    asyncio.run(run())
