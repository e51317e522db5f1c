"""Label selectors select what Kubernetes would."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from fleet_core.contracts.base import decode
from fleet_core.contracts.selectors import LabelSelector
from fleet_core.errors import InvalidInputError
from tests.contracts.strategies import label_maps, selectors

BERLIN = {"site": "berlin", "ring": "2"}


def selector(**tree: object) -> LabelSelector:
    return decode(LabelSelector, json.dumps(tree).encode())


def expression(key: str, operator: str, *values: str) -> LabelSelector:
    return selector(matchExpressions=[{"key": key, "operator": operator, "values": [*values]}])


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (selector(), "<all>"),
        (selector(matchLabels={"site": "berlin", "ring": "2"}), "ring=2,site=berlin"),
        (expression("site", "In", "paris", "berlin"), "site in (paris,berlin)"),
        (expression("site", "NotIn", "paris"), "site notin (paris)"),
        (expression("absent", "NotIn", "x"), "absent notin (x)"),
        (expression("ring", "Exists"), "ring"),
        (expression("absent", "DoesNotExist"), "!absent"),
    ],
)
def test_selectors_that_match(chosen: LabelSelector, text: str) -> None:
    assert chosen.matches(BERLIN)
    assert str(chosen) == text


@pytest.mark.parametrize(
    "chosen",
    [
        selector(matchLabels={"site": "paris"}),
        selector(matchLabels={"site": "berlin", "ring": "3"}),
        expression("site", "In", "paris"),
        expression("absent", "In", "x"),
        expression("site", "NotIn", "berlin"),
        expression("absent", "Exists"),
        expression("site", "DoesNotExist"),
    ],
)
def test_selectors_that_do_not_match(chosen: LabelSelector) -> None:
    assert not chosen.matches(BERLIN)


@pytest.mark.parametrize(("operator", "values"), [("In", []), ("NotIn", []), ("Exists", ["x"])])
def test_values_must_fit_the_operator(operator: str, values: list[str]) -> None:
    with pytest.raises(InvalidInputError, match="values") as refusal:
        expression("site", operator, *values)
    assert refusal.value.path == "matchExpressions[0]"


@given(selectors, label_maps)
def test_all_conditions_hold_together(chosen: LabelSelector, labels: dict[str, str]) -> None:
    parts = [LabelSelector(match_labels={key: value}) for key, value in chosen.match_labels.items()]
    parts += [LabelSelector(match_expressions=[each]) for each in chosen.match_expressions]
    assert chosen.matches(labels) == all(part.matches(labels) for part in parts)
