"""Every dialect of the house, by name. Refuses registration at run time: the mappings are made once, here."""

from collections.abc import Mapping
from types import MappingProxyType

from farebox.dialects.anthropic_messages.halves import MessagesClient, MessagesServer
from farebox.dialects.anthropic_messages.relay import MessagesRelay
from farebox.dialects.openai_chat.halves import ChatClient, ChatServer
from farebox.dialects.openai_chat.relay import ChatRelay
from farebox.dialects.openai_completions.halves import CompletionClient, CompletionRelay, CompletionServer
from farebox.dialects.openai_embeddings.halves import EmbeddingClient, EmbeddingRelay, EmbeddingServer
from farebox.dialects.ports import ClientHalf, Relay, ServerHalf

_servers: tuple[ServerHalf, ...] = (ChatServer(), CompletionServer(), EmbeddingServer(), MessagesServer())
_clients: tuple[ClientHalf, ...] = (ChatClient(), CompletionClient(), EmbeddingClient(), MessagesClient())

SERVERS: Mapping[str, ServerHalf] = MappingProxyType({half.name: half for half in _servers})
CLIENTS: Mapping[str, ClientHalf] = MappingProxyType({half.name: half for half in _clients})
RELAYS: Mapping[str, Relay] = MappingProxyType(
    {
        ChatServer.name: ChatRelay(),
        CompletionServer.name: CompletionRelay(),
        EmbeddingServer.name: EmbeddingRelay(),
        MessagesServer.name: MessagesRelay(),
    }
)
