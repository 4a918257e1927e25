"""Owns the fuzz targets: modules with `one(data)` that raises only on a bug of ours; refuses network and files."""

from types import MappingProxyType

# target -> what it feeds; each is the module fuzz/<target>.py and the folder fuzz/corpus/<target>/
TARGETS = MappingProxyType(
    {
        "edge": "bytes of a client to the server side of a connection",
        "vendor": "bytes of a vendor to the client side of a connection",
        "sse": "an event stream, whole and cut in pieces",
        "front": "a JSON document of which only the top is read",
        "chat_request": "a chat request: opened, decoded, encoded for a vendor, relayed",
        "chat_stream": "a vendor's chat stream: decoded to events, and relayed",
        "preferences": "a caller's routing preferences",
        "key": "a text that may be an API key",
    }
)
