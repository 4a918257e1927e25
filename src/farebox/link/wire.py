"""How the messages of the link look between processes. Refuses to be a public format: both ends are of one release line."""

import msgspec
from msgspec import Struct

from farebox.accounts.types import Caller
from farebox.link.messages import News, Pulse

SNAPSHOT = "/link/snapshot"
AUTHENTICATE = "/link/authenticate"
DELIVER = "/link/deliver"

JSON = "application/json"
PACKED = "application/msgpack"
DELIVERY_BYTES_MAX = 64 * 1024 * 1024
SNAPSHOT_BYTES_MAX = 256 * 1024 * 1024
QUESTION_BYTES_MAX = 64 * 1024


class Question(Struct, frozen=True):
    key_id: str
    key_digest: str


class Asked(Struct, frozen=True):
    known_version: str


class Delivery(Struct, frozen=True):
    """Records travel as the bytes they are, so control stores exactly what the worker's spool holds."""

    records: list[bytes]
    pulse: Pulse


question_decoder = msgspec.json.Decoder(Question)
asked_decoder = msgspec.json.Decoder(Asked)
delivery_decoder = msgspec.msgpack.Decoder(Delivery)
caller_decoder: "msgspec.json.Decoder[Caller | None]" = msgspec.json.Decoder(Caller | None)
news_decoder = msgspec.json.Decoder(News)
