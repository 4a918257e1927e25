"""Retries: whether a failed attempt may be followed by another, and the budget that keeps retries from making an
outage worse. Refuses to choose the next endpoint (that is the plan's) and to judge health.

The rule: retry only if nothing was committed, the error's class allows it, attempts are left, the deadline leaves time
for a first token, the request has no side effect (or was provably not accepted), and both budgets have room.
"""

from enum import StrEnum

from msgspec import Struct

from farebox.ir.errors import AttemptError, ConnectTimeout, Retry, TlsFailed, Unreachable

ATTEMPTS_MAX = 3
RETRY_SHARE = 0.2
RETRY_FLOOR = 3
# Faults after which the vendor certainly has not begun to work.
NOT_ACCEPTED = (Unreachable, TlsFailed, ConnectTimeout)


class Verdict(StrEnum):
    """What follows a failed attempt: `same` or `elsewhere` to retry, or the word of what forbids it."""

    SAME = "same"
    ELSEWHERE = "elsewhere"
    COMMITTED = "committed"
    CLASS = "class"
    ATTEMPTS = "attempts"
    EXHAUSTED = "exhausted"
    SIDE_EFFECT = "side_effect"
    DEADLINE = "deadline"
    BUDGET = "budget"

    @property
    def allows(self) -> bool:
        return self in (Verdict.SAME, Verdict.ELSEWHERE)


class Situation(Struct, frozen=True, kw_only=True):
    """What is known when an attempt has failed. `attempts` counts those made; `candidates` those left in the plan.

    `first_token_s` is the next endpoint's usual time to its first token, 0 if unknown. `other_model` says that the next
    candidate is a fallback model: those are tried after any refusal that nothing was charged for.
    """

    committed: bool
    attempts: int
    candidates: int
    left_s: float
    first_token_s: float = 0.0
    side_effect: bool = False
    budget: bool = True
    attempts_max: int = ATTEMPTS_MAX
    other_model: bool = False


def may_retry(error: AttemptError, situation: Situation) -> Verdict:
    """The one decision about another attempt. The order of the checks is the order of importance."""
    verdict = Verdict.ELSEWHERE
    if situation.committed:
        verdict = Verdict.COMMITTED
    elif error.retry is Retry.NEVER and not situation.other_model:
        verdict = Verdict.CLASS
    elif situation.attempts >= situation.attempts_max:
        verdict = Verdict.ATTEMPTS
    elif error.retry is Retry.SAME:
        verdict = Verdict.SAME
    elif situation.candidates <= 0:
        verdict = Verdict.EXHAUSTED
    if verdict.allows:
        if situation.side_effect and not isinstance(error, NOT_ACCEPTED):
            verdict = Verdict.SIDE_EFFECT
        elif situation.left_s <= max(situation.first_token_s, 0.0):
            verdict = Verdict.DEADLINE
        elif not situation.budget:
            verdict = Verdict.BUDGET
    return verdict


class _Scope:
    __slots__ = ("active", "retries")

    def __init__(self) -> None:
        self.active = 0
        self.retries = 0


class RetryBudget:
    """Counts running attempts by vendor and by organisation; at most a fifth of them, or three, may be retries.

    Every `start` or granted `take` must be followed by one `end` with the same arguments. Scopes without a running
    attempt are forgotten, so memory is bounded by what runs.
    """

    def __init__(self, *, share: float = RETRY_SHARE, floor: int = RETRY_FLOOR) -> None:
        self._share = share
        self._floor = floor
        self._scopes: dict[tuple[str, str], _Scope] = {}

    def start(self, organisation: str, vendor: str) -> None:
        """A first attempt begins."""
        self._scope("org", organisation).active += 1
        self._scope("vendor", vendor).active += 1

    def room(self, organisation: str, vendor: str) -> bool:
        """Whether both scopes have room for one more retry."""
        return self._has_room("org", organisation) and self._has_room("vendor", vendor)

    def take(self, organisation: str, vendor: str) -> bool:
        """A retry wants to begin; if this answers True it counts until `end(…, retry=True)`."""
        if not self.room(organisation, vendor):
            return False
        for scope in (self._scope("org", organisation), self._scope("vendor", vendor)):
            scope.active += 1
            scope.retries += 1
        return True

    def end(self, organisation: str, vendor: str, *, retry: bool = False) -> None:
        """An attempt is over, however it ended."""
        for key in (("org", organisation), ("vendor", vendor)):
            scope = self._scopes[key]
            scope.active -= 1
            if retry:
                scope.retries -= 1
            if not scope.active:
                del self._scopes[key]

    def running(self) -> int:
        """How many scopes have something running; 0 at rest."""
        return len(self._scopes)

    def _has_room(self, kind: str, name: str) -> bool:
        scope = self._scopes.get((kind, name))
        if scope is None:
            return True
        # The one asking counts as active, or a lone retry could never begin.
        return scope.retries + 1 <= max(self._floor, int((scope.active + 1) * self._share))

    def _scope(self, kind: str, name: str) -> _Scope:
        found = self._scopes.get((kind, name))
        if found is None:
            found = self._scopes[(kind, name)] = _Scope()
        return found
