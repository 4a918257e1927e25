"""Every setting of the house: its type, bounds, default and meaning. Refuses to know where values come from."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct, structs

from farebox.settings.secret import Secret

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of settings."""


class ServerSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The public port."""

    host: Annotated[str, Meta(description="Address to listen on. `0.0.0.0` opens the house to the network.")] = (
        "127.0.0.1"
    )
    port: Annotated[Port, Meta(description="Port to listen on; 0 takes a free one.")] = 8080
    workers: Annotated[int, Meta(ge=0, le=256, description="Gateway workers; 0 is one per processor, at most 8.")] = 0
    tls_certificate: Annotated[Path | None, Meta(description="Certificate chain (PEM). With `tls_key`: HTTPS.")] = None
    tls_key: Annotated[Path | None, Meta(description="Private key of the certificate (PEM).")] = None
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="Accepted Host headers without port; empty accepts every one."),
    ] = ()
    keep_owner_key: Annotated[
        bool,
        Meta(description="Keep the first key readable in `owner.key` (mode 0600), for the commands of this machine."),
    ] = True


class GatewaySettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests are served: deadlines, limits and attempts."""

    connect_s: Annotated[Seconds, Meta(description="Longest time to connect to a vendor.")] = 3.0
    tls_s: Annotated[Seconds, Meta(description="Longest TLS handshake with a vendor.")] = 3.0
    send_s: Annotated[Seconds, Meta(description="Longest time to send a request to a vendor.")] = 30.0
    first_byte_s: Annotated[Seconds, Meta(description="Longest wait for the first byte of a vendor's answer.")] = 120.0
    idle_s: Annotated[Seconds, Meta(description="Longest silence in the middle of a vendor's answer.")] = 30.0
    token_idle_s: Annotated[
        Seconds, Meta(description="Longest time a stream may bring signs of life but no content.")
    ] = 120.0
    total_s: Annotated[Seconds, Meta(description="Longest time a vendor's whole answer may take.")] = 1800.0
    attempts: Annotated[int, Meta(ge=1, le=10, description="Attempts per generation, the first included.")] = 3
    drain_s: Annotated[Seconds, Meta(description="How long streams may run on after a stop was asked for.")] = 300.0
    body_bytes: Annotated[int, Meta(ge=1024, le=2**31, description="Largest request body.")] = 32 * 1024 * 1024
    header_bytes: Annotated[int, Meta(ge=1024, le=2**20, description="Largest request head.")] = 32 * 1024
    header_s: Annotated[Seconds, Meta(description="Longest time a request head may take to arrive.")] = 10.0
    body_idle_s: Annotated[Seconds, Meta(description="Longest silence while a request body arrives.")] = 15.0
    keep_alive_s: Annotated[Seconds, Meta(description="How long an idle client connection is kept.")] = 75.0
    answer_bytes: Annotated[int, Meta(ge=1024, le=2**31, description="Largest answer of a vendor.")] = 64 * 1024 * 1024
    spool_dir: Annotated[
        Path | None, Meta(description="Folder of the workers' spools; default: `spool` in the home.")
    ] = None
    strict_sync: Annotated[
        bool,
        Meta(
            description="Wait for the disk before the client hears the end of an answer. Without it a power cut may lose the "
            "last 50 ms of records; a killed process loses none either way."
        ),
    ] = False
    proxy: Annotated[
        str | None,
        Meta(description="HTTP proxy for every call to a vendor; proxies named in the environment are ignored."),
    ] = None
    tls_ca: Annotated[Path | None, Meta(description="Certificate authorities (PEM) besides the system's.")] = None
    time_scale: Annotated[
        float,
        Meta(ge=1, le=1000, description="Divides every deadline above; for tests only."),
    ] = 1.0


class LedgerSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money."""

    toll_bps: Annotated[int, Meta(ge=0, le=10_000, description="Toll on usage in basis points; 500 is 5 %.")] = 500


class LocalSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The language model on this machine (extra `farebox[local]`)."""

    mode: Annotated[
        Literal["auto", "on", "off"],
        Meta(description="`auto`: start it if no vendor has a key and its packages are installed."),
    ] = "auto"
    model_file: Annotated[Path | None, Meta(description="Another GGUF file to serve instead of the packaged one.")] = (
        None
    )
    context_tokens: Annotated[int, Meta(ge=256, le=1_000_000, description="Context of one conversation.")] = 4096
    parallel: Annotated[int, Meta(ge=1, le=64, description="Conversations answered at the same time.")] = 4
    threads: Annotated[int, Meta(ge=0, le=512, description="Threads; 0 is one per processor.")] = 0


class LogSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written to the standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="Least level that is written.")] = (
        "info"
    )


class ServedModel(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model of another server, where its own list is not enough."""

    id: Annotated[str, Meta(min_length=1, description="The server's name of the model.")]
    slug: Annotated[str | None, Meta(description="Name at this house; default: `<server>/<id>`.")] = None
    name: Annotated[str | None, Meta(description="Name for people.")] = None
    kind: Annotated[Literal["chat", "embedding"], Meta(description="What it does.")] = "chat"
    context_length: Annotated[Positive | None, Meta(description="Tokens of prompt and answer together.")] = None
    input_usd: Annotated[Decimal, Meta(description="USD per million prompt tokens.")] = Decimal(0)
    output_usd: Annotated[Decimal, Meta(description="USD per million answer tokens.")] = Decimal(0)


class OtherServer(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenAI-compatible server: `"ollama=http://127.0.0.1:11434/v1"`, or a table."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="Its provider slug.")]
    base_url: Annotated[
        str, Meta(pattern=r"^https?://[^\s/]+(/\S*)?$", description="Address that ends before `/chat/completions`.")
    ]
    secret: Annotated[Secret | None, Meta(description="Its API key, if it needs one.")] = None
    models: Annotated[
        tuple[ServedModel, ...], Meta(description="Its models; empty asks the server (`GET /models`).")
    ] = ()

    @property
    def secret_name(self) -> str:
        """The name under which its key is handed to the workers."""
        return "SERVER_" + re.sub(r"[^A-Z0-9]", "_", self.name.upper()) + "_KEY"


class Settings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole tree. `home` holds the state: database, keys, sockets, spools."""

    home: Annotated[Path, Meta(description="Folder of all state.")] = Path("~/.farebox")
    server: ServerSettings = ServerSettings()
    gateway: GatewaySettings = GatewaySettings()
    ledger: LedgerSettings = LedgerSettings()
    local: LocalSettings = LocalSettings()
    log: LogSettings = LogSettings()
    servers: Annotated[
        tuple[OtherServer, ...],
        Meta(description="Other OpenAI-compatible servers (vLLM, Ollama, llama-server): one line each."),
    ] = ()
    secrets: Annotated[
        dict[str, Secret],
        Meta(
            description='Vendor keys by their conventional names, for example `OPENAI_API_KEY = "file:/run/secrets/openai"`.'
        ),
    ] = {}

    def vendor_environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment as workers see it: with every configured secret revealed under its name."""
        found = dict(environ)
        for name, secret in self.secrets.items():
            found[name] = secret.reveal(environ)
        for server in self.servers:
            if server.secret is not None:
                found[server.secret_name] = server.secret.reveal(environ)
        return found


class Field(Struct, frozen=True):
    """One setting for the documentation: its key, type, meaning and default."""

    key: str
    type: str
    description: str
    default: object


def fields(kind: type[Struct] = Settings, prefix: str = "") -> list[Field]:
    """Every setting, in order."""
    found: list[Field] = []
    hints = get_type_hints(kind, include_extras=True)
    for item in structs.fields(kind):
        if is_section(item.type):
            found.extend(fields(item.type, prefix + item.name + "."))
            continue
        notes = [getattr(note, "description", None) or "" for note in getattr(hints[item.name], "__metadata__", ())]
        default = item.default if item.default_factory is msgspec.NODEFAULT else item.default_factory()
        found.append(Field(prefix + item.name, type_name(item.type), "".join(notes), default))
    return found


def is_section(kind: object) -> bool:
    """Whether a field's type is a table of its own."""
    return isinstance(kind, type) and issubclass(kind, Section)


def type_name(kind: Any) -> str:
    """A type in the words of a reader of the documentation."""
    while hasattr(kind, "__metadata__"):
        kind = kind.__origin__
    if isinstance(kind, type) and not get_args(kind):
        plain = {
            "str": "text",
            "int": "integer",
            "float": "number",
            "Path": "path",
            "Secret": "secret",
            "NoneType": "nothing",
        }
        return plain.get(kind.__name__, kind.__name__)
    inner = get_args(kind)
    origin = get_origin(kind)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if origin is tuple:
        return f"list of {type_name(inner[0])}"
    if origin is dict:
        return f"table of {type_name(inner[1])}"
    return " or ".join(type_name(part) for part in inner)
