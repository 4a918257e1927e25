"""Tables of organisations and keys. No key is in them, only what proves one."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, false

from farebox.storage.schema import metadata

house = Table(
    "house",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

organisations = Table(
    "organisations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner", Boolean, nullable=False, server_default=false()),
    Column("created_ms", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organisation", Text, ForeignKey("organisations.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("ending", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("models", Text, nullable=False, server_default="[]"),
    Column("providers", Text, nullable=False, server_default="[]"),
    Column("limit_nano", BigInteger),
    Column("limit_reset", Text),
    Column("toll_bps", Integer),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("expires_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Index(None, "organisation", "created_ms"),
)

# A write that may be repeated (`Idempotency-Key`): which request it was and what it made, never the key it showed.
repeated_calls = Table(
    "repeated_calls",
    metadata,
    Column("organisation", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("request", LargeBinary, nullable=False),
    Column("result", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)
