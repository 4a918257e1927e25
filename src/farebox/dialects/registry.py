"""Every dialect of the house, by name. Refuses registration at run time: the mappings are made once, here."""

from collections.abc import Mapping
from types import MappingProxyType

from farebox.dialects.openai_chat.halves import ChatClient, ChatServer
from farebox.dialects.openai_chat.relay import ChatRelay
from farebox.dialects.ports import ClientHalf, Relay, ServerHalf

SERVERS: Mapping[str, ServerHalf] = MappingProxyType({half.name: half for half in (ChatServer(),)})
CLIENTS: Mapping[str, ClientHalf] = MappingProxyType({half.name: half for half in (ChatClient(),)})
RELAYS: Mapping[str, Relay] = MappingProxyType({ChatServer.name: ChatRelay()})
