"""The quick way to a plan draws what the thorough way draws."""

from hypothesis import given
from hypothesis import strategies as st

from farebox.catalogue.types import Endpoint
from farebox.routing import order
from farebox.routing.order import Lot, Row
from farebox.routing.types import Candidate, Standing

TOKENS = st.integers(0, 200_000)
PRICES = st.integers(0, 10**9)
FIGURES = st.one_of(st.none(), st.floats(0, 1e5))
STANDINGS = st.builds(Standing, success=st.floats(0, 1), latency_ms=FIGURES, tokens_per_s=FIGURES, trial=st.just(False))


def row(at: int, input_price: int, output_price: int, request_price: int) -> Row:
    endpoint = Endpoint(
        id=f"m@p{at}",
        model="m",
        provider=f"p{at}",
        provider_name="P",
        tag="p",
        vendor="v",
        vendor_model="m",
        dialect="openai_chat",
    )
    return Row(
        candidate=Candidate(endpoint),
        endpoint_id=endpoint.id,
        salt=at * 0x9E3779B97F4A7C15,
        input_price=input_price,
        output_price=output_price,
        request_price=request_price,
        context=0,
        prompt_max=0,
        output_max=0,
        band=0,
        model=0,
    )


@given(
    st.lists(st.tuples(PRICES, PRICES, PRICES, STANDINGS), min_size=1, max_size=8),
    TOKENS,
    TOKENS,
    st.integers(0, 2**32 - 1),
)
def test_both_ways_draw_the_same(
    offers: list[tuple[int, int, int, Standing]], prompt: int, output: int, seed: int
) -> None:
    rows = [row(at, *prices) for at, (*prices, _) in enumerate(offers)]
    standings = {each.endpoint_id: offer[3] for each, offer in zip(rows, offers, strict=True)}
    lots = [Lot(each, standings[each.endpoint_id], order.cost_pico(each, prompt, output)) for each in rows]
    order.weigh(lots, output)
    order.draw(lots, seed)
    drawn = order.shares(rows, standings.__getitem__, prompt, output, seed)
    assert drawn is not None
    assert [one.endpoint.id for one in drawn] == [lot.row.endpoint_id for lot in lots]


def test_an_endpoint_that_does_not_stand_well_is_left_to_the_thorough_way() -> None:
    rows = [row(0, 1, 1, 0)]
    for standing in (Standing(open=True), Standing(cooling=True), Standing(trial=True)):
        assert order.shares(rows, lambda _, each=standing: each, 10, 10, 1) is None
