"""What a vendor is: the technical description of one API. Values only; refuses credentials themselves and any IO."""

from msgspec import Raw, Struct


class Auth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests are authenticated.

    `scheme` is `bearer` (Authorization: Bearer …), `header` (`header`: `prefix` + secret), `none`, or the name of a scheme
    that needs code. `secret` is the environment variable that holds the credential, `also` other names it may have, in
    order. With `optional` a vendor is live without one.

    `google_service_account`: the variable holds the credential's JSON, or names its file. `sigv4`: it holds the access key,
    and `AWS_SECRET_ACCESS_KEY` the other one; a variable of `also` holds a bearer token, which comes first.
    """

    scheme: str = "bearer"
    secret: str | None = None
    also: tuple[str, ...] = ()
    header: str = "Authorization"
    prefix: str = ""
    optional: bool = False


class Variable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A placeholder of the base URL: the environment variable that fills it, and what holds without one."""

    env: str
    default: str = ""


class Reasoning(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where reasoning comes, how it is asked for, and whether it goes back (see `dialects.ports.Target`)."""

    field: str = ""
    wish: str = ""
    replay: str = "allowed"


class Vendor(Struct, frozen=True, kw_only=True):
    """One vendor's API. `slug` is the name endpoints refer to; `provider` the company that runs it."""

    slug: str
    name: str
    provider: str
    dialect: str
    base_url: str
    auth: Auth = Auth()
    variables: dict[str, Variable] = {}
    headers: dict[str, str] = {}
    reasoning: Reasoning = Reasoning()
    rename: dict[str, str] = {}
    drop: tuple[str, ...] = ()
    force: dict[str, Raw] = {}
    options: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()
    usage: dict[str, str] = {}
    errors: dict[str, str] = {}
    docs: str = ""
    checked: str = ""
    simulated: bool = False


class Server(Struct, frozen=True, kw_only=True):
    """An API that the operator named or that Farebox started itself (the local model, the simulated vendors).

    It becomes a vendor description of its own: `slug` is both provider and vendor. `secret` is the environment variable
    that holds its key, None if it needs none.
    """

    slug: str
    name: str
    base_url: str
    dialect: str = "openai_chat"
    secret: str | None = None
    simulated: bool = False
    options: tuple[str, ...] = ()
