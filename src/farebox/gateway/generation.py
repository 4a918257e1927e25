"""One generation while it lives: who asked, what for, what was tried and what has come of it. State only; no IO."""

import time

from farebox.accounts.types import Caller
from farebox.dialects.ports import Envelope, Opened, Outcome, RelayStream
from farebox.gateway.passage import CrossedStream
from farebox.gateway.routes import Route
from farebox.gateway.world import Prepared
from farebox.http.messages import Request
from farebox.http.reply import Reply
from farebox.http.response import Response
from farebox.insights.types import Attempt
from farebox.ir.errors import AttemptError
from farebox.money.sheets import PriceSheet
from farebox.routing.types import Plan

OK = "ok"
CANCELLED = "cancelled"


class Generation:
    """Times are the event loop's, in seconds; `created_ms` is wall clock. `committed` is the point of no return:
    the first content byte went to the client, so no other endpoint can take over. `odd` are warnings about the caller's
    preferences; `warnings` are these and the attempt's own.
    """

    __slots__ = (
        "attempts",
        "caller",
        "committed",
        "created_ms",
        "failure",
        "first_token_at",
        "id",
        "next_comment_at",
        "odd",
        "opened",
        "outcome",
        "passage",
        "plan",
        "prepared",
        "progress_at",
        "reply",
        "request",
        "response",
        "route",
        "sent_at",
        "settled",
        "sheet",
        "started",
        "warnings",
    )

    def __init__(self, generation_id: str, route: Route, request: Request, reply: Reply, caller: Caller) -> None:
        self.id = generation_id
        self.route = route
        self.request = request
        self.reply = reply
        self.caller = caller
        self.started = request.started
        self.created_ms = time.time_ns() // 1_000_000
        self.opened: Opened
        self.plan: Plan
        self.prepared: Prepared | None = None
        self.outcome: Outcome | None = None
        self.passage: RelayStream | CrossedStream | None = None
        self.sheet: PriceSheet | None = None
        self.attempts: list[Attempt] = []
        self.odd: list[tuple[str, str, str]] = []
        self.warnings: list[tuple[str, str, str]] = []
        self.committed = False
        self.settled = False
        self.failure: AttemptError | None = None
        self.sent_at = 0.0
        self.first_token_at = 0.0
        self.progress_at = 0.0
        self.next_comment_at = 0.0
        self.response: Response | None = None

    @property
    def created_s(self) -> int:
        return self.created_ms // 1000

    def envelope(self, prepared: Prepared) -> Envelope:
        """What we put around the answer of this endpoint."""
        endpoint = prepared.endpoint
        opened = self.opened
        return Envelope(
            id=self.id,
            model=endpoint.model,
            provider=endpoint.provider_name,
            created_s=self.created_s,
            include_reasoning=opened.include_reasoning,
            service_tier=opened.service_tier,
            choices=opened.choices,
        )

    def note(self, outcome: str, now: float, *, error: AttemptError | None = None) -> None:
        """Write the attempt that just ended into the list."""
        prepared = self.prepared
        if prepared is None:
            return
        endpoint = prepared.endpoint
        started = self.started
        self.attempts.append(
            Attempt(
                endpoint=endpoint.id,
                provider=endpoint.provider,
                outcome=outcome,
                status=200 if error is None else error.vendor_status,
                started_ms=int((self.sent_at - started) * 1e6) / 1000,
                first_byte_ms=int((self.first_token_at - started) * 1e6) / 1000 if self.first_token_at else None,
                ended_ms=int((now - started) * 1e6) / 1000,
                reason="" if error is None else error.message,
                upstream_id=self.outcome.upstream_id if self.outcome is not None else "",
            )
        )
