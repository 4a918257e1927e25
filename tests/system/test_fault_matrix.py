"""Every vendor fault, streaming and not, with one endpoint and with two: what the client sees and what is charged.

The vendor is the scripted upstream, its waits and our deadlines scaled down; the expectations are the reliability promises.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from farebox.catalogue.snapshot import with_server
from farebox.catalogue.types import Server, ServerModel
from farebox.http.limits import ClientLimits
from farebox.sims.faults.catalogue import FAULTS
from farebox.sims.testing import Upstream, running
from system.house import House, house, offer

SCALE = 20.0


@dataclass(frozen=True)
class Cell:
    """What one fault variant does to a client whose only endpoint has it."""

    status: int = 200
    code: str = ""
    elsewhere: bool = True
    committed: bool = False


OK = Cell()
UNREACHABLE = Cell(502, "upstream_unreachable")
TIMEOUT = Cell(504, "upstream_timeout")
TLS = Cell(502, "upstream_tls")
REFUSED = Cell(400, "invalid_request", elsewhere=False)
CONTEXT = Cell(400, "context_length_exceeded")
UNSUPPORTED = Cell(400, "unsupported_feature")
OUT_OF_ORDER = Cell(503, "no_healthy_endpoint")
FILTERED = Cell(403, "content_policy_violation", elsewhere=False)
TOO_LARGE = Cell(413, "payload_too_large")
LIMITED = Cell(429, "rate_limit_exceeded")
FAILED = Cell(502, "upstream_error")
OVERLOADED = Cell(503, "provider_overloaded")
REGION = Cell(403, "region_restricted")
CUT = Cell(502, "upstream_cut")
GARBLED = Cell(502, "upstream_malformed")
ANSWER_TOO_LARGE = Cell(502, "upstream_too_large")
# Nothing came, and nothing went wrong: passed on as it is if no other endpoint is there.
EMPTY = Cell(200)


def after(cell: Cell) -> Cell:
    """The same, but the client has content already: the failure comes in the stream, nobody else can take over."""
    return Cell(cell.status, cell.code, elsewhere=False, committed=True)


# variant → (whole answer, stream); None: the variant exists in streams only.
MATRIX: dict[str, tuple[Cell | None, Cell]] = {
    "f1-nxdomain": (UNREACHABLE, UNREACHABLE),
    "f2-refused": (UNREACHABLE, UNREACHABLE),
    "f3-blackhole": (TIMEOUT, TIMEOUT),
    "f3-mute": (TIMEOUT, TIMEOUT),
    "f4-expired": (TLS, TLS),
    "f4-wrong-name": (TLS, TLS),
    "f4-unknown-ca": (TLS, TLS),
    "f4-self-signed": (TLS, TLS),
    "f4-alert": (TLS, TLS),
    "f4-old-protocol": (TLS, TLS),
    "f4-plain": (TLS, TLS),
    "f4-cut": (TLS, TLS),
    "f4-mute": (TIMEOUT, TIMEOUT),
    "f4-good": (OK, OK),
    "f5-400": (REFUSED, REFUSED),
    "f5-422": (REFUSED, REFUSED),
    "f5-context": (CONTEXT, CONTEXT),
    "f5-parameter": (UNSUPPORTED, UNSUPPORTED),
    "f5-max-tokens": (UNSUPPORTED, UNSUPPORTED),
    "f5-text": (REFUSED, REFUSED),
    "f5-empty": (REFUSED, REFUSED),
    "f6-401": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f6-403": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f7-401": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f7-403": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f8-402": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f8-429": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f8-403": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f9-moderation": (FILTERED, FILTERED),
    "f9-region": (REGION, REGION),
    "f9-filter": (FILTERED, FILTERED),
    "f10-model": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f10-deployment": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f10-page": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f11-408": (TIMEOUT, TIMEOUT),
    "f12-413": (TOO_LARGE, TOO_LARGE),
    "f12-page": (TOO_LARGE, TOO_LARGE),
    **{
        f"f13-{name}": (LIMITED, LIMITED)
        for name in ("seconds", "date", "date-past", "zero", "negative", "huge", "garbage", "float", "milliseconds")
    },
    "f14-429": (LIMITED, LIMITED),
    "f14-quota": (OUT_OF_ORDER, OUT_OF_ORDER),
    "f14-page": (LIMITED, LIMITED),
    "f15-500": (FAILED, FAILED),
    "f15-502": (FAILED, FAILED),
    "f15-504": (FAILED, FAILED),
    "f15-empty": (FAILED, FAILED),
    "f16-503": (OVERLOADED, OVERLOADED),
    "f16-retry": (OVERLOADED, OVERLOADED),
    "f16-page": (OVERLOADED, OVERLOADED),
    "f17-529": (OVERLOADED, OVERLOADED),
    "f17-retry": (OVERLOADED, OVERLOADED),
    "f17-event": (None, after(OVERLOADED)),
    "f18-head": (TIMEOUT, TIMEOUT),
    "f18-body": (TIMEOUT, TIMEOUT),
    "f18-drip": (TIMEOUT, TIMEOUT),
    # A whole answer that never stalls ends at the total cap, and nothing is left of the deadline for another.
    "f19-drip": (Cell(504, "upstream_timeout", elsewhere=False), TIMEOUT),
    "f20-comments": (None, TIMEOUT),
    "f20-pings": (None, TIMEOUT),
    "f20-empty": (None, TIMEOUT),
    "f21-error": (None, FAILED),
    "f21-named": (None, FAILED),
    "f21-overloaded": (None, OVERLOADED),
    "f21-limited": (None, LIMITED),
    "f21-invalid": (None, REFUSED),
    "f22-error": (None, after(FAILED)),
    "f22-named": (None, after(FAILED)),
    "f22-choice": (None, after(FAILED)),
    "f22-bare": (None, after(FAILED)),
    "f23-stall": (TIMEOUT, after(TIMEOUT)),
    "f23-comments": (None, after(TIMEOUT)),
    "f23-end": (None, OK),
    "f24-fin": (CUT, after(CUT)),
    "f24-rst": (CUT, after(CUT)),
    "f24-length": (CUT, after(CUT)),
    "f24-chunk": (CUT, after(CUT)),
    "f24-head": (CUT, CUT),
    "f24-no-last-chunk": (None, after(CUT)),
    "f24-no-finish": (None, after(CUT)),
    "f24-no-finish-done": (None, after(CUT)),
    "f25-fin": (None, OK),
    "f25-rst": (None, OK),
    "f25-end": (None, OK),
    **{
        f"f26-{name}": (GARBLED, GARBLED)
        for name in (
            "cut",
            "after",
            "twice",
            "array",
            "utf8",
            "deep",
            "noise",
            "status-line",
            "bad-chunk",
            "two-lengths",
            "length-and-chunked",
        )
    },
    # As a stream these hold no event at all: it ended before it began.
    **{f"f26-{name}": (GARBLED, CUT) for name in ("before", "empty", "null")},
    **{f"f27-{name}": (None, after(GARBLED)) for name in ("json", "utf8", "surrogate", "text", "array", "null", "nan")},
    **{
        f"f28-{name}": (OK, OK)
        for name in (
            "crlf",
            "cr",
            "mixed",
            "split-crlf",
            "bom",
            "no-space",
            "comments",
            "fields",
            "named",
            "multi-line",
            "blank",
            "escaped",
            "bytes",
            "utf8",
            "joined",
        )
    },
    "f29-html": (GARBLED, GARBLED),
    "f29-html-as-json": (GARBLED, GARBLED),
    "f29-html-as-stream": (GARBLED, GARBLED),
    "f29-error": (FAILED, FAILED),
    "f29-limited": (LIMITED, LIMITED),
    "f29-whole": (OK, OK),
    "f29-text": (OK, OK),
    "f30-body": (ANSWER_TOO_LARGE, ANSWER_TOO_LARGE),
    "f30-event": (None, after(ANSWER_TOO_LARGE)),
    "f30-line": (None, after(ANSWER_TOO_LARGE)),
    "f31-zero": (EMPTY, EMPTY),
    "f31-null": (EMPTY, EMPTY),
    "f31-no-choices": (EMPTY, EMPTY),
    **{f"f32-{name}": (OK, OK) for name in ("gzip", "deflate", "bare-deflate")},
    **{f"f32-{name}": (GARBLED, GARBLED) for name in ("br", "zstd", "twice", "lie", "unknown")},
    "f32-bomb": (ANSWER_TOO_LARGE, ANSWER_TOO_LARGE),
    "f32-truncated": (CUT, after(GARBLED)),
    "f32-trailing": (GARBLED, GARBLED),
    "f33-http10": (OK, OK),
    "f33-close": (OK, OK),
    "f33-cut": (GARBLED, after(CUT)),
    "f34-close": (OK, OK),
    "f34-reset": (OK, OK),
    "f34-idle": (OK, OK),
    "f34-always": (CUT, CUT),
    "f35-idle": (OK, OK),
    "f35-answer": (OK, OK),
    "f35-extra": (OK, OK),
    "f36-hints": (GARBLED, GARBLED),
    "f36-continue": (OK, OK),
    "f36-few": (OK, OK),
    "f36-switch": (GARBLED, GARBLED),
    **{f"f37-{name}": (GARBLED, GARBLED) for name in ("302", "301", "303", "307", "308", "loop")},
    **{f"f38-{name}": (OK, OK) for name in ("missing", "null", "empty", "zero")},
    **{
        f"f39-{name}": (OK, OK)
        for name in (
            "negative",
            "text",
            "nan",
            "huge",
            "float",
            "null",
            "list",
            "output",
            "prompt",
            "cached",
            "reasoning",
        )
    },
    "f40-usage": (OK, OK),
    **{f"f40-{name}": (None, OK) for name in ("cumulative", "lower", "done", "after")},
    "f41-cookies": (OK, OK),
    "f41-huge": (GARBLED, GARBLED),
    "f41-many": (GARBLED, GARBLED),
    "f41-cr": (GARBLED, GARBLED),
    "f41-lf": (GARBLED, GARBLED),
    "f41-nul": (GARBLED, GARBLED),
    "f41-folded": (GARBLED, GARBLED),
    "f41-bytes": (OK, OK),
    "f41-no-colon": (GARBLED, GARBLED),
    "f42-model": (OK, OK),
    "f42-twins": (OK, OK),
    "f42-arguments": (OK, OK),
    "f43-same-write": (OK, OK),
    "f43-later": (OK, OK),
    "f44-late": (TIMEOUT, TIMEOUT),
}


METERED = ("f25-fin", "f25-rst", "f25-end", "f38-missing", "f38-null", "f38-empty")
STRAY = ("f35-idle", "f35-answer", "f43-later")
SECOND = ("f34-close", "f34-reset", "f34-idle", *STRAY)
KINDS = [(kind, mode) for kind in ("alone", "pair") for mode in ("whole", "stream")]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running(time_scale=SCALE) as started:
        yield started


def _base(upstream: Upstream, listeners: dict[str, str], variant: str) -> str:
    """Where the faulty vendor of this variant lives."""
    # A pause between events, or content and fault would come in one piece and nothing would have reached the client.
    pace = ("d200n12",) if MATRIX[variant][1].committed else ()
    return listeners.get(variant) or upstream.path(variant, *pace)


@pytest.fixture(scope="module")
def matrix_house(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One gateway with a model per variant and number of endpoints: `alone-<variant>` and `pair-<variant>`."""
    listeners = upstream.listeners()
    snapshot = offer()
    for variant, name in ((variant, f"{kind}-{variant}-{mode}") for variant in MATRIX for kind, mode in KINDS):
        # A provider per cell: what one cell does to the health of its endpoint must not reach the next.
        server = Server(slug=f"bad-{name}", name="Faulty", base_url=_base(upstream, listeners, variant))
        snapshot = with_server(snapshot, server, [ServerModel(id=name, slug=f"test/{name}")])
    good = Server(slug="good", name="Steady", base_url=upstream.path("steady"))
    names = [f"pair-{variant}-{mode}" for variant in MATRIX for mode in ("whole", "stream")]
    snapshot = with_server(snapshot, good, [ServerModel(id=name, slug=f"test/{name}") for name in names])
    spool = tmp_path_factory.mktemp("spool")
    client_limits = ClientLimits(body_bytes=2 << 20)
    ca_file = listeners["ca_file"]
    with house(snapshot, spool, client_limits=client_limits, answer_bytes_max=2 << 20, tls_ca=ca_file) as opened:
        yield opened


def _cells() -> list[tuple[str, bool, Cell]]:
    cells = []
    for variant, (whole, stream) in MATRIX.items():
        if whole is not None:
            cells.append((variant, False, whole))
        cells.append((variant, True, stream))
    return cells


def _ids(cell: tuple[str, bool, Cell]) -> str:
    return f"{cell[0]}-{'stream' if cell[1] else 'whole'}"


def test_the_matrix_names_every_variant() -> None:
    known = {f"{fault.id}-{variant.name}" for fault in FAULTS for variant in fault.variants if fault.id[0] == "f"}
    assert set(MATRIX) == known


@pytest.mark.parametrize("cell", _cells(), ids=_ids)
def test_with_one_endpoint(matrix_house: House, cell: tuple[str, bool, Cell]) -> None:
    variant, stream, expected = cell
    mode = "stream" if stream else "whole"
    answer = matrix_house.chat(f"test/alone-{variant}-{mode}", stream=stream)
    if variant in SECOND:
        # These faults strike the second request of a connection, or between two.
        time.sleep(0.15 if variant in STRAY else 0)
        answer = matrix_house.chat(f"test/alone-{variant}-{mode}", stream=stream)
    if variant in STRAY:
        time.sleep(0.15)
    record = matrix_house.record(answer.headers["x-generation-id"])
    if expected.committed:
        assert answer.status == 200
        last = answer.events()[-1]
        assert last["error"]["code"] == expected.status, last
        assert last["error"]["metadata"]["error_type"] == expected.code
        assert last["choices"][0]["finish_reason"] == "error"
        assert answer.body.endswith(b"data: [DONE]\n\n")
        assert answer.text()
    elif expected.status == 200:
        assert answer.status == 200, answer.body
        assert not record.error
    else:
        assert answer.status == expected.status, answer.body
        error = answer.json()["error"]
        assert error["code"] == expected.status
        assert error["metadata"]["error_type"] == expected.code
        if expected.status in (429, 503):
            assert int(answer.headers["retry-after"]) >= 1
    if expected.status != 200:
        assert record.total_nano == 0
        assert record.error == expected.code
        assert len(record.attempts) == 1
    if variant in METERED and expected.status == 200:
        told = answer.json()["usage"] if not stream else answer.events()[-1]["usage"]
        assert record.usage_source == "metered"
        assert told["completion_tokens"] == sum(n for unit, n in record.usage.items() if unit.startswith("output"))
        assert told["completion_tokens"] > 0
    leaked = (b"Traceback", b"127.0.0.1", b"<html", b"set-cookie")
    assert not [word for word in leaked if word in answer.body.lower()]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("cell", _cells(), ids=_ids)
def test_with_a_second_endpoint(matrix_house: House, cell: tuple[str, bool, Cell]) -> None:
    """The faulty one is tried first; the client must not notice wherever a retry is allowed."""
    variant, stream, expected = cell
    mode = "stream" if stream else "whole"
    answer = matrix_house.chat(
        f"test/pair-{variant}-{mode}", stream=stream, provider={"order": [f"bad-pair-{variant}-{mode}", "good"]}
    )
    if variant in STRAY:
        time.sleep(0.15)
    record = matrix_house.record(answer.headers["x-generation-id"])
    if expected.status == 200 and expected is not EMPTY:
        assert answer.status == 200
        assert len(record.attempts) == 1
    elif expected.committed:
        assert answer.status == 200
        assert answer.events()[-1]["error"]["metadata"]["error_type"] == expected.code
        assert len(record.attempts) == 1, "never a second endpoint after the first content"
    elif expected.elsewhere:
        assert answer.status == 200, answer.body
        assert answer.text()
        assert [attempt.provider for attempt in record.attempts] == [f"bad-pair-{variant}-{mode}", "good"]
        assert record.provider == "good"
        assert len(record.attempts) <= 3
    else:
        assert answer.status == expected.status
        assert len(record.attempts) == 1


def test_nothing_is_left_open(matrix_house: House, upstream: Upstream) -> None:
    """Runs in any order: at rest, no exchange is under way."""
    assert matrix_house.worker.runner.running == 0
    assert upstream.until(lambda u: matrix_house.worker.pool.busy == 0)
