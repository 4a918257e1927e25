"""Which paths are inference, and in which dialect: one table, and the paths that carry the model in them.

Refuses to know what a dialect means.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from msgspec import Struct

from farebox.dialects.bedrock_converse.halves import ERROR_HEADER, ConverseServer
from farebox.dialects.bedrock_converse.halves import STREAM_TYPE as AWS_EVENTS
from farebox.dialects.google_generate.halves import GenerateServer
from farebox.dialects.ports import Opened, ServerHalf
from farebox.dialects.registry import SERVERS
from farebox.ir.errors import FareboxError, InvariantBroken

SSE = b"text/event-stream; charset=utf-8"
JSON = b"application/json"


class Route(Struct, frozen=True):
    """An inference path: the dialect spoken there, the kind of model it wants, and what its streams are sent as.

    `error_head` gives the header lines by which a protocol tells the kind of an error, where it has some.
    """

    server: ServerHalf
    operation: str
    kind: str = "chat"
    stream_type: bytes = SSE
    model: str = ""
    stream: bool = False
    error_head: Callable[[FareboxError], bytes] | None = None

    def open(self, body: bytes) -> Opened:
        """The request read as far as admission needs, with what its path says."""
        opened = self.server.open(body)
        if not self.model:
            return opened
        server = self.server
        if not isinstance(server, _ByPath):
            raise InvariantBroken
        return server.with_path(opened, self.model, stream=self.stream)


@runtime_checkable
class _ByPath(Protocol):
    """A server half whose clients name the model in the path."""

    def with_path(self, opened: Opened, model: str, *, stream: bool) -> Opened: ...


_PATHS = (
    ("/chat/completions", "openai_chat", "chat", "chat"),
    ("/completions", "openai_completions", "text_completion", "chat"),
    ("/embeddings", "openai_embeddings", "embeddings", "embedding"),
    ("/responses", "openai_responses", "responses", "chat"),
    ("/messages", "anthropic_messages", "messages", "chat"),
)
# As people read them; the patterns below are what is matched. Without `alt=sse` a stream is one JSON array.
PATHS_WITH_MODELS = (
    ("/v1beta/models/{model}:generateContent", "google_generate"),
    ("/v1beta/models/{model}:streamGenerateContent", "google_generate"),
    ("/v1beta/models/{model}:countTokens", "google_generate"),
    ("/v1/messages/count_tokens", "anthropic_messages"),
    ("/bedrock/model/{model}/converse", "bedrock_converse"),
    ("/bedrock/model/{model}/converse-stream", "bedrock_converse"),
)
# The house's own prefixes, and those under which a vendor's own library looks for its API.
_PREFIXES = ("/v1", "/api/v1", "/openai/v1", "/anthropic/v1")
_GENERATE = re.compile(
    r"(?:/genai)?/v1(?:beta)?/models/(?P<model>[^:]+(?::[a-z]+)*):(?P<verb>generateContent|streamGenerateContent)"
)
_CONVERSE = re.compile(r"(?:/bedrock)?/model/(?P<model>.+)/(?P<verb>converse|converse-stream)")


class Routes:
    """Finds the route of a path."""

    def __init__(self) -> None:
        self.fixed: Mapping[str, Route] = MappingProxyType(
            {
                prefix + path: Route(SERVERS[dialect], operation, kind)
                for prefix in _PREFIXES
                for path, dialect, operation, kind in _PATHS
                if prefix in ("/v1", "/api/v1") or _belongs(prefix, dialect)
            }
        )
        self._array = GenerateServer(array=True)

    def find(self, path: str, query: bytes) -> Route | None:
        """The route, None for a path that is not inference."""
        found = self.fixed.get(path)
        if found is not None or (":" not in path and "/converse" not in path):
            return found
        if match := _GENERATE.fullmatch(path):
            return self._generate(match["model"], query, stream=match["verb"] == "streamGenerateContent")
        if match := _CONVERSE.fullmatch(path):
            stream = match["verb"] == "converse-stream"
            return Route(
                SERVERS["bedrock_converse"],
                "converse",
                stream_type=AWS_EVENTS,
                model=match["model"],
                stream=stream,
                error_head=_converse_error,
            )
        return None

    def _generate(self, model: str, query: bytes, *, stream: bool) -> Route:
        if stream and b"alt=sse" not in query.split(b"&"):
            return Route(self._array, "generate_content", stream_type=JSON, model=model, stream=True)
        return Route(SERVERS["google_generate"], "generate_content", model=model, stream=stream)


def _converse_error(error: FareboxError) -> bytes:
    return b"%b: %b\r\n" % (ERROR_HEADER, ConverseServer().error_type(error).encode("ascii"))


def _belongs(prefix: str, dialect: str) -> bool:
    """Whether a dialect is spoken below a vendor's own prefix."""
    return dialect.startswith("openai_") if prefix == "/openai/v1" else dialect == "anthropic_messages"
