"""Which paths are inference, and in which dialect: one table. Refuses to know what a dialect means."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from farebox.dialects.ports import ServerHalf
from farebox.dialects.registry import SERVERS


class Route(Struct, frozen=True):
    """An inference path: the dialect spoken there, and the kind of model it wants."""

    server: ServerHalf
    operation: str
    kind: str = "chat"


_PREFIXES = ("/v1", "/api/v1")
_PATHS = (
    ("/chat/completions", "openai_chat", "chat", "chat"),
    ("/completions", "openai_completions", "text_completion", "chat"),
    ("/embeddings", "openai_embeddings", "embeddings", "embedding"),
    ("/messages", "anthropic_messages", "messages", "chat"),
)


def table() -> Mapping[str, Route]:
    """Every inference path with its route."""
    return MappingProxyType(
        {
            prefix + path: Route(SERVERS[dialect], operation, kind)
            for prefix in _PREFIXES
            for path, dialect, operation, kind in _PATHS
        }
    )
