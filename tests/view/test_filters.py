"""The filter language: what is typed is what is chosen, and mistakes are shown at their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_core.contracts.states import Failure, Phase
from fleet_core.view import FilterError, complete, parse_filter
from tests.view.fleets import NOW_S, FedView


@pytest.fixture(scope="module")
def fed() -> FedView:
    fed = FedView()
    fed.info("berlin-kiosk-1", site="berlin", ring="1", hw="pi5")
    fed.info("berlin-van-2", "1.4.0", site="berlin", ring="2", hw="cm4")
    fed.info("paris-kiosk-3", site="paris", ring="2")
    for device_id, age_s in (("berlin-kiosk-1", 1), ("berlin-van-2", 120), ("paris-kiosk-3", 900)):
        fed.beat(device_id, NOW_S - age_s)
    fed.manifest("berlin-kiosk-1", "web")
    fed.manifest("berlin-van-2", "web")
    fed.state("berlin-kiosk-1", "web")
    failure = Failure(container="migrate", init=True, cause="Error", exit_code=3)
    fed.state(
        "berlin-van-2", "web", phase=Phase.PENDING, reason="Init:Error", restarts=7, failure=failure
    )
    fed.view.record_ping("berlin-kiosk-1", 12.0)
    fed.view.tick(NOW_S)
    for slot in range(3):
        fed.view.judge(slot)
    return fed


def chosen(fed: FedView, text: str) -> list[str]:
    devices = fed.view.devices
    slots = parse_filter(text).select(devices, NOW_S)
    return [devices.ids[slot].rpartition("-")[2] for slot in slots]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "123"),
        ("   ", "123"),
        ("berlin", "12"),
        ("BERLIN kiosk", "1"),
        ("site=berlin", "12"),
        ("site = berlin ring=2", "2"),
        ("site=berlin and not ring=2", "1"),
        ("site!=berlin", "3"),
        ("site=paris or ring=1", "13"),
        ("(site=paris or ring=1) and kiosk", "13"),
        ("not (site=paris or ring=1)", "2"),
        ("status=online", "1"),
        ("status!=online", "23"),
        ("status=stale", "2"),
        ("status=offline", "3"),
        ("age>10m", "3"),
        ("age<=120s", "12"),
        ("age>1.5m", "23"),
        ("version~1.4", "2"),
        ("version!~1.4", "13"),
        ("deploy:web=failed", "2"),
        ("deploy:web=ok", "1"),
        ("deploy:web=none", "3"),
        ("deploy:other=none", "123"),
        ("cause~exit", "2"),
        ("cause~'exit 3'", "2"),
        ("reason~init:error", "2"),
        ("restarts>5", "2"),
        ("rtt<20", "1"),
        ("hw=", None),
        ('hw=""', "3"),
        ("id=paris-kiosk-3", "3"),
        ('"site=berlin"', "12"),
    ],
)
def test_what_a_filter_chooses(fed: FedView, text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(FilterError, match="no value"):
            parse_filter(text)
    else:
        assert chosen(fed, text) == list(expected)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("site=", 5),
        ("site=berlin and", 15),
        ("(site=berlin", 12),
        ("site=berlin)", 11),
        ("or site=berlin", 0),
        ("not", 3),
        ("age>tomorrow", 4),
        ("status=onlien", 7),
        ("deploy:web=maybe", 11),
        ("deploy=ok", 0),
        ("site>berlin", 0),
        ("age~10m", 0),
        ("site='berlin", 5),
        ("a ! b", 2),
        ("restarts=many", 9),
        ("(" * 60 + "a", 51),
        ("x" * 1_001, 1_000),
    ],
)
def test_a_mistake_is_shown_at_its_place(text: str, position: int) -> None:
    with pytest.raises(FilterError) as refusal:
        parse_filter(text)
    assert refusal.value.position == position
    assert refusal.value.expected


words = st.sampled_from(
    [
        "berlin",
        "kiosk",
        "site=berlin",
        "ring!=1",
        "age>10m",
        "version~1.4",
        "deploy:web=failed",
        "status=stale",
        "'two words'",
        '"or"',
        "restarts>1",
    ]
)
filters = st.recursive(
    words,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(" and ".join),
        st.tuples(inner, inner).map(" or ".join),
        st.tuples(inner, inner).map(" ".join),
        inner.map("not ({})".format),
        inner.map("({})".format),
    ),
    max_leaves=6,
)


@given(filters)
def test_a_filter_is_written_as_it_is_read(text: str) -> None:
    parsed = parse_filter(text)
    assert str(parse_filter(str(parsed))) == str(parsed)


@given(filters)
def test_choosing_many_is_choosing_each(fed: FedView, text: str) -> None:
    parsed, devices = parse_filter(text), fed.view.devices
    each = [slot for slot in devices.slot_of.values() if parsed.matches(devices, slot, NOW_S)]
    assert parsed.select(devices, NOW_S) == each
    rewritten = parse_filter(str(parsed))
    assert rewritten.select(devices, NOW_S) == each


@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_a_mistake_with_a_place(text: str) -> None:
    try:
        parse_filter(text)
    except FilterError as refusal:
        position = refusal.position
    else:
        position = 0
    assert 0 <= position <= len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("si", ["site"]),
        ("site=b", ["site=berlin"]),
        ("kiosk and (site=", ["kiosk and (site=berlin", "kiosk and (site=paris"]),
        ("status=o", ["status=offline", "status=online"]),
        ("deploy:web=f", ["deploy:web=failed"]),
        ("version=", ["version=1.3.2", "version=1.4.0"]),
        ("nothing=", []),
    ],
)
def test_completion(fed: FedView, text: str, expected: list[str]) -> None:
    assert complete(text, fed.view.devices) == expected
