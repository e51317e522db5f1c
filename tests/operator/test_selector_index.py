"""The index of selectors never misses one that matches, whatever comes and goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet_core.contracts.selectors import LabelSelector, SelectorOperator, SelectorRequirement
from fleet_core.operator.selector_index import SelectorIndex

NAMES, VALUES = st.sampled_from(["site", "ring"]), st.sampled_from(["a", "b", "c"])
LABELS = st.dictionaries(NAMES, VALUES)
NEEDS_VALUES = (SelectorOperator.IN, SelectorOperator.NOT_IN)


@st.composite
def requirements(draw: st.DrawFn) -> SelectorRequirement:
    operator = draw(st.sampled_from(SelectorOperator))
    values = draw(st.lists(VALUES, min_size=1)) if operator in NEEDS_VALUES else []
    return SelectorRequirement(key=draw(NAMES), operator=operator, values=values)


SELECTORS = st.builds(
    LabelSelector, match_labels=LABELS, match_expressions=st.lists(requirements(), max_size=2)
)
STEPS = st.lists(st.tuples(st.sampled_from("wxyz"), st.none() | SELECTORS), max_size=20)


@given(STEPS, LABELS)
def test_every_selector_that_matches_is_a_candidate(
    steps: list[tuple[str, LabelSelector | None]], labels: dict[str, str]
) -> None:
    index: SelectorIndex[str] = SelectorIndex()
    there: dict[str, LabelSelector] = {}
    for key, selector in steps:
        if selector is None:
            index.drop(key)
            there.pop(key, None)
        else:
            index.put(key, selector)
            there[key] = selector
    candidates = index.candidates(labels)
    assert candidates >= {key for key, selector in there.items() if selector.matches(labels)}
    assert candidates <= there.keys()


def test_a_thousand_others_are_not_even_looked_at() -> None:
    index: SelectorIndex[int] = SelectorIndex()
    for number in range(1_000):
        index.put(number, LabelSelector(match_labels={"country": "de", "site": f"s{number}"}))
    # The first few are under the country, for want of anything better to tell them by.
    assert len(index.candidates({"country": "de", "site": "s500"})) <= 3
