"""A house whose vendors do as the SDK tests need: honest ones with prices, and one for each way to fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from farebox.catalogue.snapshot import with_server
from farebox.catalogue.types import Server, ServerModel, Snapshot
from farebox.sims.testing import Upstream, running
from system.house import EMPTY, House, house

CHAT = "test/chat"
EMBED = "test/embed"
# Pico-USD per token: 0.40 and 1.20 USD per million.
PRICES = {"input_fresh": 400_000, "input_cache_read": 100_000, "output_text": 1_200_000, "output_reasoning": 1_200_000}
MEDIA = ("text", "image", "audio", "file", "video")
SPELLINGS = ("reasoning_content", "reasoning", "think")
# Model → what its only vendor does, as words of a path to the scripted upstream.
PLAYS = {
    "refused": ("f5-400",),
    "context": ("f5-context",),
    "filtered": ("f9-moderation",),
    "large": ("f12-413",),
    "limited": ("f13-seconds",),
    "failed": ("f15-500",),
    "overloaded": ("f16-503",),
    "late": ("f18-head",),
    # A pause between events, or content and fault would reach the client in one piece.
    "broken": ("f22-error", "d20n12"),
    "cut": ("f24-fin", "d20n12"),
    "endless": ("d20n4000",),
    "lazy": ("w60000",),
    **{f"think-{spelling}": (f"reasoning={spelling}",) for spelling in SPELLINGS},
}
MODES = ("whole", "stream")


@dataclass(frozen=True)
class Kitchen:
    """The house and the vendors behind it."""

    house: House
    upstream: Upstream

    def last(self) -> dict:
        """The vendor's account of the newest request."""
        return self.upstream.requests()[-1]


def menu(upstream: Upstream) -> Snapshot:
    """`test/chat` at two providers, `test/embed`, and `test/<play>-<mode>` at a provider of its own."""
    snapshot = EMPTY
    chat = ServerModel(
        id="chat", slug=CHAT, context_length=100_000, input_modalities=MEDIA, prices=PRICES, licence="Apache-2.0"
    )
    embed = ServerModel(id="embed", slug=EMBED, kind="embedding", context_length=8_192, prices=PRICES)
    for slug, models in (("alpha", [chat, embed]), ("beta", [chat])):
        snapshot = with_server(snapshot, Server(slug=slug, name=slug.title(), base_url=upstream.path(slug)), models)
    for play, words in PLAYS.items():
        for mode in MODES:
            # One test's failures must not cool down the endpoint of another.
            name = f"{play}-{mode}"
            server = Server(slug=f"at-{name}", name=name, base_url=upstream.path(name, *words))
            model = ServerModel(id="chat", slug=f"test/{name}", context_length=100_000, prices=PRICES)
            snapshot = with_server(snapshot, server, [model])
    return snapshot


@contextmanager
def kitchen(spool: Path) -> Iterator[Kitchen]:
    """Open while the block lasts."""
    with running() as upstream, house(menu(upstream), spool) as opened:
        yield Kitchen(opened, upstream)
