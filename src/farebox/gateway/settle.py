"""Settlement: rate what was used with the price frozen at the attempt, write the record to the spool. Always the last
thing of a generation, before the client sees its end. Refuses to charge for an answer that the vendor broke.
"""

import msgspec
from msgspec import Struct

from farebox.gateway.generation import Generation
from farebox.gateway.meter import checked, metered
from farebox.gateway.spool import Spool
from farebox.insights.types import GenerationRecord
from farebox.ir.errors import FareboxError
from farebox.ir.usage import NOTHING, Usage
from farebox.money.charges import FREE, Charge
from farebox.money.rating import Unpriced, rate
from farebox.telemetry.counters import (
    FIRST_TOKEN_SECONDS,
    OVERHEAD_S,
    OVERHEAD_SECONDS,
    REQUEST_SECONDS,
    TOKENS,
    Counters,
    sample,
)

SETTLEMENT = 1
_encode = msgspec.json.Encoder().encode


class Sums(Struct, gc=False):
    """What a generation comes to: counters, charge, and what was odd about them."""

    usage: Usage
    charge: Charge
    flags: list[str]


class Bookkeeper:
    """Settles generations of one worker."""

    def __init__(self, spool: Spool, counters: Counters, *, worker: str, toll_bps: int) -> None:
        self.spool = spool
        self.toll_bps = toll_bps
        self._counters = counters
        self._worker = worker
        self._samples: dict[tuple[str, str, int], str] = {}
        self._tokens: dict[tuple[str, str], tuple[str, str]] = {}
        self._overhead = counters.histogram(OVERHEAD_SECONDS, OVERHEAD_S)
        self._duration = counters.histogram(REQUEST_SECONDS)
        self._first_token = counters.histogram(FIRST_TOKEN_SECONDS)

    def settle(
        self, generation: Generation, now: float, *, error: FareboxError | None = None, cancelled: bool = False
    ) -> Charge:
        """Rate, record and count; answers the charge. A second call for the same generation changes nothing."""
        if generation.settled:
            return FREE
        generation.settled = True
        usage, flags = self._usage(generation, error, cancelled)
        if generation.outcome is not None and usage.leaves:
            # The client is told what was charged, whoever counted it.
            generation.outcome.usage = usage
        charge = self._rate(generation, usage, flags) if error is None else FREE
        record = self._record(generation, now, Sums(usage, charge, flags), error=error, cancelled=cancelled)
        self.spool.append(SETTLEMENT, _encode(record))
        self._count(generation, record, now)
        return charge

    def _usage(self, generation: Generation, error: FareboxError | None, cancelled: bool) -> tuple[Usage, list[str]]:
        outcome = generation.outcome
        if outcome is None:
            return NOTHING, []
        flags = list(outcome.flags)
        usage = outcome.usage
        if usage is None or (cancelled and not outcome.ended):
            if not (outcome.committed or outcome.ended):
                return NOTHING, flags
            return metered(generation.opened, outcome), [*flags, "usage_metered"]
        if error is None:
            usage = checked(usage, generation.opened, outcome, flags)
        return usage, flags

    def _rate(self, generation: Generation, usage: Usage, flags: list[str]) -> Charge:
        sheet = generation.sheet
        if sheet is None:
            return FREE
        caller_toll = generation.caller.toll_bps
        toll_bps = self.toll_bps if caller_toll is None else caller_toll
        while True:
            try:
                return rate(
                    sheet,
                    usage,
                    at_s=generation.created_s,
                    service_tier=generation.opened.service_tier,
                    toll_bps=toll_bps,
                )
            except Unpriced as unpriced:
                # Routing admits priced endpoints only; a unit that appears unannounced is ours to pay, the rest is charged.
                flags.append(f"unpriced:{unpriced}")
                left = {unit: count for unit, count in usage.leaves.items() if unit != unpriced.unit}
                if not left or len(left) == len(usage.leaves):
                    return FREE
                usage = Usage(left)

    def _record(
        self,
        generation: Generation,
        now: float,
        sums: Sums,
        *,
        error: FareboxError | None,
        cancelled: bool,
    ) -> GenerationRecord:
        usage, charge = sums.usage, sums.charge
        prepared = generation.prepared
        endpoint = prepared.endpoint if prepared is not None else None
        outcome = generation.outcome
        started = generation.started
        get = generation.request.headers.get
        opened = generation.opened
        first = generation.first_token_at
        return GenerationRecord(
            id=generation.id,
            created_ms=generation.created_ms,
            organisation=generation.caller.organisation,
            key_id=generation.caller.key_id,
            worker=self._worker,
            operation=generation.route.operation,
            dialect=generation.route.server.name,
            model_asked=opened.models[0],
            model=endpoint.model if endpoint else "",
            provider=endpoint.provider if endpoint else "",
            endpoint=endpoint.id if endpoint else "",
            upstream_id=outcome.upstream_id if outcome else "",
            upstream_model=outcome.upstream_model if outcome else "",
            streamed=opened.stream,
            cancelled=cancelled,
            status=error.status if error is not None else (499 if cancelled else 200),
            error=error.code if error is not None else "",
            finish=outcome.finish if outcome else "",
            native_finish=outcome.native_finish if outcome else "",
            usage=usage.leaves,
            usage_source=usage.source if usage.leaves else "",
            price_version=charge.price_version,
            vendor_cost_nano=charge.vendor_nano,
            toll_nano=charge.toll_nano,
            total_nano=charge.total_nano,
            latency_ms=int((first - started) * 1e6) / 1000 if first else None,
            duration_ms=int((now - started) * 1e6) / 1000,
            overhead_us=int((generation.sent_at - started) * 1e6) if generation.sent_at else 0,
            attempts=tuple(generation.attempts),
            warnings=tuple(generation.warnings),
            service_tier=opened.service_tier,
            session=opened.session,
            referer=_text(get(b"http-referer") or get(b"referer")),
            title=_text(get(b"x-openrouter-title") or get(b"x-title")),
            user_agent=_text(get(b"user-agent")),
            flags=tuple(sums.flags),
            simulated=endpoint.simulated if endpoint else False,
            tool_calls=outcome.tool_calls if outcome else 0,
        )

    def _count(self, generation: Generation, record: GenerationRecord, now: float) -> None:
        counters = self._counters
        key = (record.operation, record.provider, record.status)
        text = self._samples.get(key)
        if text is None:
            text = self._samples[key] = sample(
                "farebox_requests_total",
                operation=record.operation,
                provider=record.provider,
                status=str(record.status),
            )
        counters.inc(text)
        self._duration.observe(now - generation.started)
        if generation.sent_at:
            self._overhead.observe(generation.sent_at - generation.started)
        if generation.first_token_at:
            self._first_token.observe(generation.first_token_at - generation.started)
        if record.usage:
            self._count_tokens(record)

    def _count_tokens(self, record: GenerationRecord) -> None:
        key = (record.operation, record.model)
        texts = self._tokens.get(key)
        if texts is None:
            labels = {"gen_ai_operation_name": record.operation, "gen_ai_request_model": record.model}
            texts = self._tokens[key] = (
                sample(TOKENS, **labels, gen_ai_token_type="input"),  # noqa: S106 - the name of a label's value
                sample(TOKENS, **labels, gen_ai_token_type="output"),  # noqa: S106
            )
        usage = Usage(record.usage)
        self._counters.inc(texts[0], usage.prompt_tokens())
        self._counters.inc(texts[1], usage.completion_tokens())


def _text(value: bytes | None) -> str:
    """A header's value as bounded printable text."""
    if not value:
        return ""
    return value[:256].decode("utf-8", "replace")
