"""Reads of generations and sums. A generation is only ever read together with its organisation."""

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, func, select

from farebox.insights.tables import generations, usage_hours
from farebox.insights.types import GenerationRecord

RECENT_MAX = 50_000

_decoder = msgspec.json.Decoder(GenerationRecord)
_one = select(generations.c.record).where(
    generations.c.id == bindparam("id"), generations.c.organisation == bindparam("organisation")
)


class ModelTotal(Struct, frozen=True, kw_only=True):
    requests: int
    failures: int
    prompt_tokens: int
    completion_tokens: int


class KeyUsage(Struct, frozen=True, kw_only=True):
    """What a key spent, in nano-USD, since the beginning and in the current UTC day, ISO week and month.

    `last_hour_s` is the start of the hour in which it was last used, 0 if it never was.
    """

    total_nano: int = 0
    day_nano: int = 0
    week_nano: int = 0
    month_nano: int = 0
    requests: int = 0
    last_hour_s: int = 0


def get_generation(tx: Connection, organisation: str, generation_id: str) -> GenerationRecord | None:
    line = tx.execute(_one, {"id": generation_id, "organisation": organisation}).scalar()
    return None if line is None else _decoder.decode(line)


def model_totals(tx: Connection, since_s: int) -> dict[str, ModelTotal]:
    """Sums per model over whole hours since then."""
    columns = [usage_hours.c[name] for name in ModelTotal.__struct_fields__]
    statement = (
        select(usage_hours.c.model, *(func.sum(column).label(column.name) for column in columns))
        .where(usage_hours.c.hour_s >= since_s)
        .group_by(usage_hours.c.model)
    )
    # PostgreSQL sums bigints to numeric: `int` on both sides keeps the types equal.
    return {
        row.model: ModelTotal(**{column.name: int(getattr(row, column.name)) for column in columns})
        for row in tx.execute(statement)
    }


def key_usage(tx: Connection, key_id: str, *, day_s: int, week_s: int, month_s: int) -> KeyUsage:
    hours, spent = usage_hours.c.hour_s, usage_hours.c.total_nano
    statement = select(
        func.coalesce(func.sum(spent), 0),
        func.coalesce(func.sum(spent).filter(hours >= day_s), 0),
        func.coalesce(func.sum(spent).filter(hours >= week_s), 0),
        func.coalesce(func.sum(spent).filter(hours >= month_s), 0),
        func.coalesce(func.sum(usage_hours.c.requests), 0),
        func.coalesce(func.max(hours), 0),
    ).where(usage_hours.c.key_id == key_id)
    return KeyUsage(**dict(zip(KeyUsage.__struct_fields__, map(int, tx.execute(statement).one()), strict=True)))


def recent(tx: Connection, since_ms: int, limit: int = RECENT_MAX) -> list[GenerationRecord]:
    """The newest records since then, oldest first; what statistics in memory are filled from after a start."""
    statement = (
        select(generations.c.record)
        .where(generations.c.created_ms >= since_ms)
        .order_by(generations.c.created_ms.desc())
        .limit(limit)
    )
    return [_decoder.decode(line) for line in reversed(tx.execute(statement).scalars().all())]
