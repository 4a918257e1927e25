"""The order of eligible endpoints: shares, sorts, bands and bounds. Pure; randomness comes in as a seed.

Default shares. For each endpoint the expected cost of this request and its expected duration are compared with the best:

    weight = (cheapest + GRAIN) / (cost + GRAIN)  squared    half the price draws four times the traffic
           x quickest / duration                             half the duration draws twice the traffic
           x success ** 4                                    nine of ten succeeding draws two thirds

GRAIN keeps differences below a thousandth of a cent from mattering, so free and nearly free endpoints share. An endpoint
without figures of its own gets the median of its peers. Every endpoint keeps an equal part of EXPLORATION, so that
figures stay fresh. The policy `inverse_square` is 1/price squared alone. Draws are without replacement: the first is
drawn by weight, the second by weight among the rest. A draw depends on seed and endpoint, not on positions.
"""

from collections.abc import Callable, Sequence
from math import log

from msgspec import Struct

from farebox.catalogue.types import Endpoint
from farebox.routing.types import Candidate, Percentiles, Standing

GRAIN = 10**7
EXPLORATION = 0.03
# An answer of unknown length is taken to be this long.
TYPICAL_OUTPUT_TOKENS = 512
_MASK = (1 << 64) - 1
_UNIT = 2.0**-53


class Row(Struct, frozen=True, gc=False, kw_only=True):
    """An eligible endpoint with what ordering needs at hand. Prices are pico-USD per unit; 0 limits mean unlimited.

    `band`: lower bands come first whatever the draw (the caller's order, the tier asked for, known abilities).
    """

    candidate: Candidate
    endpoint_id: str
    salt: int
    input_price: int
    output_price: int
    request_price: int
    context: int
    prompt_max: int
    output_max: int
    band: int
    model: int


class Lot(Struct, gc=False):
    """A row with its standing at this moment; `weight` is its share."""

    row: Row
    standing: Standing
    cost: int
    weight: float = 0.0
    ticket: float = 0.0


def cost_pico(row: Row, prompt_tokens: int, output_tokens: int) -> int:
    """Expected vendor cost of a request of this shape."""
    return row.input_price * prompt_tokens + row.output_price * output_tokens + row.request_price


def duration_ms(standing: Standing, output_tokens: int) -> float | None:
    """Expected time to the end of an answer, where both figures are known."""
    if standing.latency_ms is None:
        return None
    if not standing.tokens_per_s:
        return standing.latency_ms
    return standing.latency_ms + 1000.0 * output_tokens / standing.tokens_per_s


def weigh(lots: list[Lot], output_tokens: int, policy: str = "shares") -> None:
    """Sets each lot's weight; they sum to 1."""
    cheapest = min([lot.cost for lot in lots]) + GRAIN
    total = 0.0
    for lot in lots:
        part = cheapest / (lot.cost + GRAIN)
        weight = part * part
        if policy == "shares":
            success = lot.standing.success
            if success < 1.0 and not lot.standing.trial:
                weight *= success**4
        lot.weight = weight
        total += weight
    if policy == "shares":
        total = _weigh_speed(lots, output_tokens, total)
    floor = EXPLORATION / len(lots)
    scale = (1.0 - EXPLORATION) / total if total else 0.0
    for lot in lots:
        lot.weight = floor + lot.weight * scale


def _weigh_speed(lots: list[Lot], output_tokens: int, total: float) -> float:
    durations = [duration_ms(lot.standing, output_tokens) for lot in lots]
    known = sorted([each for each in durations if each is not None])
    if not known or known[-1] <= 0:
        return total
    median = known[len(known) // 2]
    quickest = known[0]
    total = 0.0
    for lot, duration in zip(lots, durations, strict=True):
        lot.weight *= (quickest + 1.0) / ((median if duration is None else duration) + 1.0)
        total += lot.weight
    return total


def draw(lots: list[Lot], seed: int) -> None:
    """Sorts by a weighted draw without replacement: an exponential race, so each place is drawn by weight."""
    for lot in lots:
        mixed = (seed ^ lot.row.salt) & _MASK
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
        lot.ticket = -log((((mixed ^ (mixed >> 31)) >> 11) + 1) * _UNIT) / lot.weight
    lots.sort(key=_ticket)


def shares(
    rows: Sequence[Row], standings: Callable[[str], Standing], prompt_tokens: int, output_tokens: int, seed: int
) -> tuple[Candidate, ...] | None:
    """What `weigh` and `draw` come to when every endpoint stands well, without a lot for each; None when one does not.

    Most plans are these; a property test holds the two ways together.
    """
    costs: list[int] = []
    weights: list[float] = []
    durations: list[float | None] = []
    for row in rows:
        standing = standings(row.endpoint_id)
        if standing.open or standing.cooling or standing.trial:
            return None
        costs.append(row.input_price * prompt_tokens + row.output_price * output_tokens + row.request_price + GRAIN)
        weights.append(standing.success**4 if standing.success < 1.0 else 1.0)
        durations.append(duration_ms(standing, output_tokens))
    cheapest = min(costs)
    known = sorted([each for each in durations if each is not None])
    paced = bool(known) and known[-1] > 0
    median, quickest = (known[len(known) // 2], known[0] + 1.0) if paced else (0.0, 0.0)
    for at, cost in enumerate(costs):
        part = cheapest / cost
        weight = part * part * weights[at]
        if paced:
            duration = durations[at]
            weight *= quickest / ((median if duration is None else duration) + 1.0)
        weights[at] = weight
    total = sum(weights)
    floor, scale = EXPLORATION / len(rows), (1.0 - EXPLORATION) / total if total else 0.0
    tickets = []
    for at, row in enumerate(rows):
        mixed = (seed ^ row.salt) & _MASK
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
        chance = (((mixed ^ (mixed >> 31)) >> 11) + 1) * _UNIT
        tickets.append((-log(chance) / (floor + weights[at] * scale), at))
    tickets.sort()
    return tuple([rows[at].candidate for _, at in tickets])


def _ticket(lot: Lot) -> float:
    return lot.ticket


def band(lot: Lot) -> int:
    return lot.row.band


def by_price(lot: Lot) -> float:
    return lot.cost


def sort(lots: list[Lot], by: str) -> None:
    """Sorts by the caller's word, keeping the drawn order among equals. Unknown figures count as the median."""
    if by == "price":
        lots.sort(key=by_price)
        return
    if by == "exacto":
        lots.sort(key=lambda lot: -round(lot.standing.success, 2))
        return
    figure: Callable[[Lot], float | None] = _latency if by == "latency" else _slowness
    known = sorted([value for value in map(figure, lots) if value is not None])
    if not known:
        return
    median = known[len(known) // 2]
    lots.sort(key=lambda lot: median if (value := figure(lot)) is None else value)


def _latency(lot: Lot) -> float | None:
    return lot.standing.latency_ms


def _slowness(lot: Lot) -> float | None:
    speed = lot.standing.tokens_per_s
    return None if speed is None else -speed


def misses(lot: Lot, throughput: Percentiles | None, latency: Percentiles | None) -> str:
    """The word of a preferred bound that the endpoint is known to miss, or an empty string."""
    standing = lot.standing
    if throughput is not None and _beyond(standing.throughput_percentiles, standing.tokens_per_s, throughput, -1):
        return "preferred_min_throughput"
    if latency is not None and _beyond(standing.latency_percentiles, standing.latency_ms, latency, 1):
        return "preferred_max_latency"
    return ""


def _beyond(measured: Percentiles | None, average: float | None, bound: Percentiles, sign: int) -> bool:
    if measured is None:
        return average is not None and bound.p50 is not None and sign * average > sign * bound.p50
    for name in ("p50", "p75", "p90", "p99"):
        limit: float | None = getattr(bound, name)
        value: float | None = getattr(measured, name)
        if limit is not None and value is not None and sign * value > sign * limit:
            return True
    return False


def premium(endpoint: Endpoint, price: int, siblings: Sequence[tuple[Endpoint, int]]) -> bool:
    """Whether it is a regional version that costs more than the same provider elsewhere."""
    return endpoint.region is not None and any(
        other.provider == endpoint.provider and cost < price and other.variant is None for other, cost in siblings
    )
