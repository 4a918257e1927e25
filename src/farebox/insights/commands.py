"""Writes of generations: records in batches, each id once, with the hourly sums in the same transaction."""

import hashlib

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, select, text

from farebox.insights.tables import SUMS, generations, unreadable_records
from farebox.insights.types import GenerationRecord
from farebox.ir.usage import INPUT_UNITS, OUTPUT_UNITS
from farebox.storage import sql

HOUR_MS = 3_600_000
RECORD_BYTES_MAX = 256 * 1024
_COUNT_MAX = 2**53

_decoder = msgspec.json.Decoder(GenerationRecord)
_insert = text(
    "INSERT INTO generations (id, created_ms, organisation, key_id, record)"
    " VALUES (:id, :created_ms, :organisation, :key_id, :record)"
)
# As text, and not by `sql.add_up`: building that statement costs more than storing ten records.
_KEYS = ("hour_s", "key_id", "model", "endpoint")
_COLUMNS = (*_KEYS, "organisation", "provider", *SUMS)
_add_up = text(
    f"INSERT INTO usage_hours ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"  # noqa: S608 - names are ours
    f" ON CONFLICT ({', '.join(_KEYS)}) DO UPDATE SET "
    + ", ".join(f"{name} = usage_hours.{name} + excluded.{name}" for name in SUMS)
)
_present = select(generations.c.id).where(generations.c.id.in_(bindparam("ids", expanding=True)))


class Stored(Struct, frozen=True):
    """What a batch came to: the records that were new, how many were there before, how many could not be read."""

    new: list[GenerationRecord]
    repeated: int
    unreadable: int


class Batch(Struct, frozen=True):
    """Records decoded outside the writer's thread, so that it only writes."""

    records: dict[str, tuple[GenerationRecord, bytes]]
    repeated: int
    unreadable: list[tuple[bytes, str]]


def read_batch(lines: list[bytes]) -> Batch:
    """Decode what a worker delivered. A record that cannot be read does not keep the others waiting."""
    records: dict[str, tuple[GenerationRecord, bytes]] = {}
    unreadable: list[tuple[bytes, str]] = []
    for line in lines:
        try:
            record = _decoder.decode(line)
            _check(record, line)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as problem:
            unreadable.append((line[:RECORD_BYTES_MAX], str(problem)[:200]))
            continue
        records.setdefault(record.id, (record, line))
    return Batch(records, len(lines) - len(records) - len(unreadable), unreadable)


def store_batch(tx: Connection, batch: Batch, *, now_ms: int) -> Stored:
    """Store what is new of a batch. Repeating it changes nothing."""
    if batch.unreadable:
        _put_aside(tx, batch.unreadable, now_ms)
    if not batch.records:
        return Stored([], batch.repeated, len(batch.unreadable))
    sql.serialise(tx, sql.GENERATIONS)
    present = set(tx.execute(_present, {"ids": list(batch.records)}).scalars())
    new = [pair for key, pair in batch.records.items() if key not in present]
    if new:
        rows = [
            {"id": r.id, "created_ms": r.created_ms, "organisation": r.organisation, "key_id": r.key_id, "record": line}
            for r, line in new
        ]
        tx.execute(_insert, rows)
        tx.execute(_add_up, _hours([record for record, _ in new]))
    return Stored([record for record, _ in new], batch.repeated + len(present), len(batch.unreadable))


def _check(record: GenerationRecord, line: bytes) -> None:
    """Bounds that the columns and sums rely on; the types were checked by the decoder."""
    if len(line) > RECORD_BYTES_MAX:
        raise ValueError("The record is too large.")
    if not record.id or not 0 <= record.created_ms < _COUNT_MAX:
        raise ValueError("The record has no id or no time.")
    if "\0" in record.id + record.organisation + record.key_id + record.model + record.endpoint + record.provider:
        raise ValueError("A name holds a NUL.")
    for amount in (record.vendor_cost_nano, record.toll_nano, record.total_nano, *record.usage.values()):
        if not 0 <= amount < _COUNT_MAX:
            raise ValueError("A counter is out of range.")


def _hours(records: list[GenerationRecord]) -> list[dict[str, object]]:
    cells: dict[tuple[int, str, str, str], list[int]] = {}
    owners: dict[tuple[int, str, str, str], GenerationRecord] = {}
    for record in records:
        hour_s = record.created_ms // HOUR_MS * (HOUR_MS // 1000)
        key = (hour_s, record.key_id, record.model or record.model_asked[:200], record.endpoint)
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = [0] * len(SUMS)
            owners[key] = record
        usage = record.usage.get
        cell[0] += 1
        cell[1] += bool(record.error)
        cell[2] += sum(usage(unit, 0) for unit in INPUT_UNITS)
        cell[3] += sum(usage(unit, 0) for unit in OUTPUT_UNITS)
        cell[4] += record.vendor_cost_nano
        cell[5] += record.toll_nano
        cell[6] += record.total_nano
    return [
        {
            "hour_s": key[0],
            "key_id": key[1],
            "model": key[2],
            "endpoint": key[3],
            "organisation": owners[key].organisation,
            "provider": owners[key].provider,
            **dict(zip(SUMS, cell, strict=True)),
        }
        for key, cell in cells.items()
    ]


def _put_aside(tx: Connection, unreadable: list[tuple[bytes, str]], now_ms: int) -> None:
    rows = [
        {"digest": hashlib.sha256(line).digest(), "received_ms": now_ms, "reason": reason, "record": line}
        for line, reason in unreadable
    ]
    tx.execute(sql.insert(tx, unreadable_records).on_conflict_do_nothing(), rows)
