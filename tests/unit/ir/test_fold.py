"""Owns the laws of the fold over generated answers; refuses dialects."""

from hypothesis import given
from hypothesis import strategies as st

from farebox.ir.errors import Cut
from farebox.ir.events import (
    ArgumentsDelta,
    Choice,
    ChoiceEnded,
    CitationAdded,
    Failed,
    FinishReason,
    MediaDelta,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    Response,
    SealDelta,
    Started,
    TextDelta,
    UsageReported,
)
from farebox.ir.fold import fold, unfold
from farebox.ir.request import AnyPart, Citation, Inline, Media, Reasoning, Refusal, Seal, Text, ToolCall
from farebox.ir.usage import Usage

WORDS = st.text(max_size=6)
SEALS = st.none() | st.builds(Seal, st.sampled_from(["signature", "encrypted"]), WORDS)
PARTS: st.SearchStrategy[AnyPart] = st.one_of(
    st.builds(Text, text=WORDS, citations=st.lists(st.builds(Citation, url=WORDS), max_size=2).map(tuple)),
    st.builds(Reasoning, text=WORDS, summary=WORDS, seal=SEALS),
    st.builds(ToolCall, call_id=WORDS, name=WORDS, arguments=WORDS),
    st.builds(Refusal, text=WORDS),
    st.builds(Media, family=st.just("audio"), source=st.builds(Inline, WORDS), transcript=WORDS),
)
CHOICES = st.builds(
    Choice,
    parts=st.lists(PARTS, max_size=4).map(tuple),
    reason=st.sampled_from([None, *FinishReason]),
    raw_reason=st.just(""),
)
RESPONSES = st.builds(
    Response,
    started=st.builds(Started, response_id=WORDS, created_s=st.integers(0, 9)),
    choices=st.lists(CHOICES.filter(lambda choice: bool(choice.parts) or choice.reason is not None), max_size=3).map(
        tuple
    ),
    usage=st.none() | st.builds(Usage, st.dictionaries(WORDS, st.integers(1, 9), max_size=2)),
    complete=st.booleans(),
)


@given(RESPONSES)
def test_folding_what_was_unfolded_gives_it_back(response: Response) -> None:
    assert fold(unfold(response)) == response


@given(RESPONSES, st.integers(0, 40))
def test_every_prefix_folds(response: Response, length: int) -> None:
    events = unfold(response)[:length]
    assert len(fold(events).choices) <= len(response.choices)


def test_deltas_grow_parts() -> None:
    response = fold(
        [
            Started(response_id="r"),
            PartStarted(0, Reasoning(text="a")),
            ReasoningDelta(0, "b"),
            ReasoningDelta(0, "s", summary=True),
            SealDelta(0, Seal("signature", "1")),
            SealDelta(0, Seal("signature", "2")),
            PartEnded(0),
            PartStarted(1, Text(text="")),
            PartStarted(2, ToolCall(call_id="c", name="f", arguments="")),
            TextDelta(1, "x"),
            ArgumentsDelta(2, "{}"),
            CitationAdded(1, Citation(url="u")),
            TextDelta(1, "y"),
            PartStarted(3, Media(family="audio", source=Inline(""))),
            MediaDelta(3, "AA", "said "),
            MediaDelta(3, "BB", "so"),
            PartStarted(4, Refusal(text="")),
            TextDelta(4, "no"),
            ChoiceEnded(reason=FinishReason.STOP, raw_reason="eos"),
            UsageReported(Usage({"input_fresh": 1})),
            UsageReported(Usage({"input_fresh": 2})),
        ]
    )
    choice = response.choices[0]
    assert choice.parts == (
        Reasoning(text="ab", summary="s", seal=Seal("signature", "2")),
        Text(text="xy", citations=(Citation(url="u"),)),
        ToolCall(call_id="c", name="f", arguments="{}"),
        Media(family="audio", source=Inline("AABB"), transcript="said so"),
        Refusal(text="no"),
    )
    assert (choice.reason, choice.raw_reason) == (FinishReason.STOP, "eos")
    assert response.usage == Usage({"input_fresh": 2})
    assert not response.complete


def test_what_came_before_a_failure_is_kept() -> None:
    error = Cut()
    response = fold([PartStarted(0, Text(text="a")), TextDelta(0, "b"), Failed(error)])
    assert response.error is error
    assert response.choices[0].parts == (Text(text="ab"),)
    assert response.choices[0].reason is None
