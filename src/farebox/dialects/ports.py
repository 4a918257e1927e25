"""What every dialect offers: a server half (towards clients), a client half (towards vendors), and a relay where both
sides speak the same. Protocols and the values they exchange; no protocol's own words.

A server half reads a request twice: `open` looks only as far as admission and routing need (top-level fields stay raw
slices), `decode` makes the canonical request for a crossing. Encoders hold the end of an answer back (usage, end mark)
until the charge is known: `finish(charge)` gives those bytes, after the settlement is written.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Raw, Struct

from farebox.ir.errors import AttemptError, FareboxError
from farebox.ir.events import Event, Response, Warning
from farebox.ir.request import Request
from farebox.ir.usage import Usage
from farebox.money.charges import Charge


class Opened(Struct, kw_only=True):
    """A request read as far as admission and routing need; `fields` are its top-level members, raw.

    `models` is what the caller asks for, in order (`model` first, then `models`). `provider` is the raw preferences object.
    `parameters` are the names of the optional parameters present (in OpenAI chat's spelling, whatever the dialect).
    `modalities` are input modalities other than text found in the messages (image, audio, video, file).
    `origins` are the origins of sealed parts in the history (format words such as `anthropic-claude-v1`).
    `marks` are words for what stands in the messages and may need rewriting for a vendor (each dialect documents its own).
    `relayable` is false when the request holds something that only the codec path can carry to a vendor of this dialect.
    """

    body: bytes
    fields: dict[str, Raw]
    models: tuple[str, ...]
    stream: bool = False
    choices: int = 1
    max_tokens: int | None = None
    provider: Raw | None = None
    parameters: frozenset[str] = frozenset()
    modalities: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    service_tier: str = ""
    session: str = ""
    user: str = ""
    include_reasoning: bool = True
    relayable: bool = True


class Target(Struct, frozen=True, kw_only=True):
    """How one vendor wants a request of a dialect: names, deny-lists and options, filled in from its description.

    `rename`, `drop` and `force` work on top-level members of the vendor's body. `options` are words the dialect documents.
    `reasoning_field` is where the vendor puts reasoning text in a message (`reasoning_content`, `reasoning`, `think` for
    tags inside the text); `reasoning_wish` how it is asked to think (`reasoning_effort`, `reasoning`, `thinking`, …);
    `reasoning_replay` whether earlier reasoning goes back (`required`, `allowed`, `never`).
    """

    model: str
    vendor: str
    rename: Mapping[str, str] = {}
    drop: frozenset[str] = frozenset()
    force: Mapping[str, Raw] = {}
    options: frozenset[str] = frozenset()
    reasoning_field: str = ""
    reasoning_wish: str = ""
    reasoning_replay: str = "allowed"
    usage: Mapping[str, str] = {}
    settings: Mapping[str, str] = {}


class Envelope(Struct, kw_only=True):
    """What we put around an answer: our id and names instead of the vendor's. `choices` is how many were asked for."""

    id: str
    model: str
    provider: str
    created_s: int
    byok: bool = False
    include_reasoning: bool = True
    service_tier: str = ""
    choices: int = 1


class Outcome(Struct, kw_only=True):
    """What was learnt of an answer while it passed: filled by relays and decoders, read by settlement."""

    usage: Usage | None = None
    finish: str = ""
    native_finish: str = ""
    upstream_id: str = ""
    upstream_model: str = ""
    content_chars: int = 0
    reasoning_chars: int = 0
    tool_calls: int = 0
    committed: bool = False
    ended: bool = False
    complete: bool = False
    error: FareboxError | None = None
    flags: list[str] = []


class StreamEncoder(Protocol):
    """Canonical events to a client's stream bytes."""

    def feed(self, events: Iterable[Event]) -> bytes:
        """Bytes for these events; usage and end mark are held back. May be empty."""

    def finish(self, charge: Charge) -> bytes:
        """The held-back end of a stream that went well: last chunks with usage and cost, end mark."""

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        """The end of a stream that broke: the dialect's in-stream error form and end mark."""


class StreamDecoder(Protocol):
    """A vendor's stream bytes, cut anywhere, to canonical events."""

    outcome: Outcome

    def feed(self, data: bytes) -> list[Event]:
        """Events that became complete with these bytes."""

    def close(self) -> list[Event]:
        """The body ended: closes open parts and says `Finished`, or `Failed(Cut)` if the answer was not complete."""


class RelayStream(Protocol):
    """Same dialect on both sides: bytes to bytes, the envelope rewritten, the rest untouched."""

    outcome: Outcome

    def feed(self, data: bytes) -> bytes:
        """Client bytes for these vendor bytes; usage and end mark are held back. Check `outcome.error` afterwards."""

    def close(self) -> bytes:
        """The vendor's body ended: sets `outcome.ended`, and `outcome.error` to `Cut` if it was not complete. Last bytes."""

    def finish(self, charge: Charge) -> bytes: ...

    def fail(self, error: FareboxError, charge: Charge) -> bytes: ...


class RelayWhole(Protocol):
    """A whole (non-streamed) answer in relay: read first, then written with the charge."""

    outcome: Outcome

    def finish(self, charge: Charge) -> bytes: ...


class ServerHalf(Protocol):
    """Towards clients."""

    name: str

    def open(self, body: bytes) -> Opened: ...

    def decode(self, opened: Opened) -> Request: ...

    def stream(self, envelope: Envelope) -> StreamEncoder: ...

    def whole(self, response: Response, envelope: Envelope, charge: Charge) -> bytes: ...

    def error(self, error: FareboxError, request_id: str) -> bytes:
        """The JSON body of an error answered before anything was sent."""


class ClientHalf(Protocol):
    """Towards vendors."""

    name: str

    def path(self, target: Target, stream: bool) -> str:
        """The path below the vendor's base URL."""

    def encode(self, request: Request, target: Target) -> tuple[bytes, list[Warning]]: ...

    def stream(self, target: Target) -> StreamDecoder: ...

    def whole(self, body: bytes, target: Target) -> tuple[list[Event], Outcome]:
        """Events of a whole answer. Raises an `AttemptError` for an answer that is not one."""

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError: ...


class Relay(Protocol):
    """Both sides speak this dialect."""

    def request(self, opened: Opened, target: Target) -> tuple[bytes, list[Warning]]: ...

    def stream(self, envelope: Envelope, target: Target) -> RelayStream: ...

    def whole(self, body: bytes, envelope: Envelope, target: Target) -> RelayWhole: ...
