"""Every dialect of the house, by name. Refuses registration at run time: the mappings are made once, here."""

from collections.abc import Mapping
from types import MappingProxyType

from farebox.dialects.anthropic_messages.halves import MessagesClient, MessagesServer
from farebox.dialects.anthropic_messages.relay import MessagesRelay
from farebox.dialects.bedrock_converse.halves import ConverseClient, ConverseServer
from farebox.dialects.cohere_chat.halves import CohereClient
from farebox.dialects.google_generate.halves import GenerateClient, GenerateServer
from farebox.dialects.google_generate.relay import GenerateRelay
from farebox.dialects.ollama_chat.halves import OllamaClient
from farebox.dialects.openai_chat.halves import ChatClient, ChatServer
from farebox.dialects.openai_chat.relay import ChatRelay
from farebox.dialects.openai_completions.halves import CompletionClient, CompletionRelay, CompletionServer
from farebox.dialects.openai_embeddings.halves import EmbeddingClient, EmbeddingRelay, EmbeddingServer
from farebox.dialects.openai_responses.halves import ResponsesClient, ResponsesServer
from farebox.dialects.openai_responses.relay import ResponsesRelay
from farebox.dialects.ports import ClientHalf, Relay, ServerHalf

_servers: tuple[ServerHalf, ...] = (
    ChatServer(),
    CompletionServer(),
    EmbeddingServer(),
    MessagesServer(),
    ResponsesServer(),
    GenerateServer(),
    ConverseServer(),
)
_clients: tuple[ClientHalf, ...] = (
    ChatClient(),
    CompletionClient(),
    EmbeddingClient(),
    MessagesClient(),
    ResponsesClient(),
    GenerateClient(),
    ConverseClient(),
    CohereClient(),
    OllamaClient(),
)

SERVERS: Mapping[str, ServerHalf] = MappingProxyType({half.name: half for half in _servers})
CLIENTS: Mapping[str, ClientHalf] = MappingProxyType({half.name: half for half in _clients})
RELAYS: Mapping[str, Relay] = MappingProxyType(
    {
        ChatServer.name: ChatRelay(),
        CompletionServer.name: CompletionRelay(),
        EmbeddingServer.name: EmbeddingRelay(),
        MessagesServer.name: MessagesRelay(),
        ResponsesServer.name: ResponsesRelay(),
        GenerateServer.name: GenerateRelay(),
    }
)
