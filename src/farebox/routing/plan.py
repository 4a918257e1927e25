"""The plan: from a wish, a catalogue, standings and a seed to endpoints in the order of trying, each with its reasons.

Refuses IO, clocks and state of its own: a `Planner` only remembers shortlists that it could work out again.
"""

from collections.abc import Callable

from farebox.catalogue.types import Snapshot
from farebox.routing import order, prices
from farebox.routing.order import TYPICAL_OUTPUT_TOKENS, Lot, Row
from farebox.routing.shortlist import Leg, Reach, Shortlist, build, price_bucket
from farebox.routing.types import Candidate, Exclusion, Plan, Standing, Wish

Standings = Callable[[str], Standing]

POLICIES = ("shares", "inverse_square")
SHORTLISTS_MAX = 512


class Planner:
    """Plans over one snapshot and one set of live vendors. Not shared between threads."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        live: frozenset[str],
        dialects: frozenset[str],
        policy: str = "shares",
        shortlists_max: int = SHORTLISTS_MAX,
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"unknown routing policy {policy!r}; known: {', '.join(POLICIES)}")
        self._snapshot = snapshot
        self._reach = Reach(live, dialects)
        self._policy = policy
        self._shortlists: dict[object, Shortlist] = {}
        self._shortlists_max = shortlists_max
        limits = {limit for endpoints in snapshot.endpoints.values() for limit in prices.thresholds(endpoints)}
        self._thresholds = tuple(sorted(limits))

    def plan(self, wish: Wish, standings: Standings, *, at_s: int, seed: int) -> Plan:
        """The plan of one request. `at_s` is epoch seconds; the same arguments give the same plan."""
        shortlist = self._shortlist(wish, at_s)
        exclusions = shortlist.exclusions
        legs = shortlist.legs
        output = wish.max_tokens or 0
        # Several texts to embed are each a prompt of their own: their sum says nothing about a limit.
        prompt = wish.prompt_bound if wish.kind == "chat" else 0
        if prompt + output > shortlist.context_min or prompt > shortlist.prompt_min or output > shortlist.output_min:
            legs, exclusions = _fitting(legs, exclusions, prompt, output)
        lots = self._lots(legs, standings, wish.prompt_bound, output)
        ready, last, cooling = _parted(lots)
        if cooling:
            exclusions += tuple(Exclusion(lot.row.endpoint_id, "cooling_down") for lot in cooling)
        candidates = self._ordered(wish, shortlist, ready, seed) if ready else ()
        if last:
            candidates += _panic(last, alone=not ready)
        if not wish.preferences.allow_fallbacks and not wish.preferences.order:
            candidates, exclusions = _primary(candidates, exclusions)
        return _plan(shortlist, candidates, exclusions)

    def _plain(self, wish: Wish, shortlist: Shortlist, legs: tuple[Leg, ...]) -> bool:
        """Whether shares alone decide: one model, no bands, no sort, no bounds."""
        preferences = wish.preferences
        return (
            len(legs) == 1
            and len(legs[0].rows) > 0
            and not legs[0].sort
            and not shortlist.banded
            and preferences.allow_fallbacks
            and preferences.preferred_min_throughput is None
            and preferences.preferred_max_latency is None
            and self._policy == "shares"
        )

    def _shortlist(self, wish: Wish, at_s: int) -> Shortlist:
        bucket = price_bucket(self._thresholds, wish.prompt_bound)
        key = (
            wish.models,
            wish.parameters,
            wish.preferences,
            bucket,
            wish.kind,
            wish.modalities,
            wish.service_tier,
            wish.allowed_models,
            wish.allowed_providers,
        )
        found = self._shortlists.get(key)
        if found is not None and found.since_s <= at_s < found.until_s:
            return found
        found = build(self._snapshot, self._reach, wish, at_s=at_s, prompt_tokens=wish.prompt_bound)
        if found.legs:
            self._shortlists.pop(key, None)
            while len(self._shortlists) >= self._shortlists_max:
                del self._shortlists[next(iter(self._shortlists))]
            self._shortlists[key] = found
        return found

    def _lots(self, legs: tuple[Leg, ...], standings: Standings, prompt: int, output: int) -> list[Lot]:
        expected = _expected_output(output)
        return [
            Lot(row, standings(row.endpoint_id), order.cost_pico(row, prompt, expected))
            for leg in legs
            for row in leg.rows
        ]

    def _ordered(self, wish: Wish, shortlist: Shortlist, ready: list[Lot], seed: int) -> tuple[Candidate, ...]:
        preferences = wish.preferences
        expected = _expected_output(wish.max_tokens or 0)
        legs = shortlist.legs
        if len(legs) == 1 or preferences.sort_across_models:
            groups = [ready]
        else:
            groups = [group for leg in range(len(legs)) if (group := [lot for lot in ready if lot.row.model == leg])]
        ordered: list[Lot] = []
        for group in groups:
            order.weigh(group, expected, self._policy)
            order.draw(group, seed)
            by = legs[group[0].row.model].sort
            if by:
                order.sort(group, by)
            if shortlist.banded:
                group.sort(key=order.band)
            ordered += group
        if preferences.preferred_min_throughput is None and preferences.preferred_max_latency is None:
            return tuple([_candidate(lot) for lot in ordered])
        return _bounded(wish, ordered)


def _plan(shortlist: Shortlist, candidates: tuple[Candidate, ...], exclusions: tuple[Exclusion, ...]) -> Plan:
    return Plan(
        candidates=candidates,
        exclusions=exclusions,
        models=shortlist.models,
        strategy=shortlist.strategy,
        unknown_models=shortlist.unknown,
        suggestions=shortlist.suggestions,
    )


def _expected_output(max_tokens: int) -> int:
    return min(max_tokens, TYPICAL_OUTPUT_TOKENS) if max_tokens else TYPICAL_OUTPUT_TOKENS


def _candidate(lot: Lot) -> Candidate:
    made = lot.row.candidate
    if not lot.standing.trial:
        return made
    return Candidate(made.endpoint, (*made.reasons, "half_open"), made.warnings, trial=True)


def _with(lot: Lot, *reasons: str) -> Candidate:
    made = lot.row.candidate
    return Candidate(made.endpoint, made.reasons + reasons, made.warnings, trial=lot.standing.trial)


def _fitting(
    legs: tuple[Leg, ...], exclusions: tuple[Exclusion, ...], prompt: int, output: int
) -> tuple[tuple[Leg, ...], tuple[Exclusion, ...]]:
    """Without the rows that this prompt or this answer does not fit."""
    more: list[Exclusion] = []
    kept: list[Leg] = []
    for leg in legs:
        rows = []
        for row in leg.rows:
            misfit = _misfit(row, prompt, output)
            if misfit:
                more.append(Exclusion(row.endpoint_id, misfit))
            else:
                rows.append(row)
        kept.append(Leg(leg.slug, tuple(rows), leg.sort))
    return tuple(kept), exclusions + tuple(more)


def _misfit(row: Row, prompt: int, output: int) -> str:
    if prompt + output > row.context or prompt > row.prompt_max:
        return "context_length"
    return "max_output" if output > row.output_max else ""


def _parted(lots: list[Lot]) -> tuple[list[Lot], list[Lot], list[Lot]]:
    """Ready ones, those with an open breaker, those that must wait. A half-open one is tried only beside a ready one."""
    ready: list[Lot] = []
    last: list[Lot] = []
    cooling: list[Lot] = []
    healthy = False
    for lot in lots:
        standing = lot.standing
        if standing.cooling:
            cooling.append(lot)
        elif standing.open:
            last.append(lot)
        else:
            ready.append(lot)
            if not standing.trial:
                healthy = True
    if not healthy:
        return [], last + ready, cooling
    return ready, last, cooling


def _panic(last: list[Lot], *, alone: bool) -> tuple[Candidate, ...]:
    """The last resort: by how likely each succeeds. `alone`: nothing else is left, so slots don't matter."""
    last.sort(key=lambda lot: (-lot.standing.success, lot.row.endpoint_id))
    word = "panic" if alone else "breaker_open"
    return tuple(
        Candidate(lot.row.candidate.endpoint, (*lot.row.candidate.reasons, word), lot.row.candidate.warnings)
        for lot in last
    )


def _bounded(wish: Wish, ordered: list[Lot]) -> tuple[Candidate, ...]:
    """Those known to miss a preferred bound move to the end, whatever their model."""
    kept: list[Candidate] = []
    moved: list[Candidate] = []
    for lot in ordered:
        word = order.misses(lot, wish.preferences.preferred_min_throughput, wish.preferences.preferred_max_latency)
        if word:
            moved.append(_with(lot, word))
        else:
            kept.append(_candidate(lot))
    return tuple(kept + moved)


def _primary(
    candidates: tuple[Candidate, ...], exclusions: tuple[Exclusion, ...]
) -> tuple[tuple[Candidate, ...], tuple[Exclusion, ...]]:
    """Only the first endpoint of each model."""
    kept: dict[str, Candidate] = {}
    more: list[Exclusion] = []
    for candidate in candidates:
        if candidate.endpoint.model in kept:
            more.append(Exclusion(candidate.endpoint.id, "fallbacks_not_allowed"))
        else:
            kept[candidate.endpoint.model] = candidate
    return tuple(kept.values()), exclusions + tuple(more)
