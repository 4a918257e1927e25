"""Tables of generations and their hourly sums. Prompts and answers are not in them."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from farebox.storage.schema import metadata

# The record is kept whole, as the worker wrote it; the columns beside it are only what it is found by.
generations = Table(
    "generations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index(None, "created_ms"),
)

# What could not be read is put aside whole: a worker of another version may have written it.
unreadable_records = Table(
    "unreadable_records",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("received_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

usage_hours = Table(
    "usage_hours",
    metadata,
    Column("hour_s", BigInteger, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("organisation", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("vendor_nano", BigInteger, nullable=False),
    Column("toll_nano", BigInteger, nullable=False),
    Column("total_nano", BigInteger, nullable=False),
    Index(None, "key_id", "hour_s"),
)

SUMS = ("requests", "failures", "prompt_tokens", "completion_tokens", "vendor_nano", "toll_nano", "total_nano")
