"""Which devices must run what: selectors over labels, evaluated once for each kind of device."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet_core.operator.wants import Want, Wants
from tests.operator.fleets import NOW_S, deployment

KEY = ("default", "web")


def wants_with(devices: dict[str, dict[str, str]], *resources: object) -> Wants:
    wants = Wants()
    for device, labels in devices.items():
        wants.set_labels(device, labels)
    for resource in resources:
        wants.set_want(Want.of(resource))  # type: ignore[arg-type]  # a Deployment
    return wants


def test_a_selector_picks_devices_by_their_labels() -> None:
    devices = {"a": {"site": "berlin"}, "b": {"site": "paris"}, "c": {}}
    wants = wants_with(devices, deployment(labels={"site": "berlin"}))
    assert set(wants.selected(KEY)) == {"a"}
    assert set(wants.of_device("a")) == {"web"}
    assert wants.of_device("b") == {}


def test_an_empty_selector_picks_all_and_expressions_narrow() -> None:
    devices = {"a": {"ring": "1"}, "b": {"ring": "2"}, "c": {}}
    assert set(wants_with(devices, deployment()).selected(KEY)) == {"a", "b", "c"}
    chosen = deployment(expressions=[{"key": "ring", "operator": "NotIn", "values": ["1"]}])
    assert set(wants_with(devices, chosen).selected(KEY)) == {"b", "c"}


def test_a_changed_selector_touches_those_it_left_and_those_it_reached() -> None:
    devices = {"a": {"site": "berlin"}, "b": {"site": "paris"}, "c": {"site": "lyon"}}
    wants = wants_with(devices, deployment(labels={"site": "berlin"}))
    touched = wants.set_want(Want.of(deployment(labels={"site": "paris"})))
    assert touched == {"a", "b"}
    assert set(wants.selected(KEY)) == {"b"}


def test_changed_labels_move_a_device() -> None:
    wants = wants_with({"a": {"site": "berlin"}}, deployment(labels={"site": "berlin"}))
    assert not wants.set_labels("a", {"site": "berlin"})
    assert wants.set_labels("a", {"site": "paris"})
    assert set(wants.selected(KEY)) == set()
    wants.drop_device("a")
    assert "a" not in wants


def test_of_two_claims_on_a_name_the_older_one_counts_whatever_the_order() -> None:
    old = deployment(namespace="shop", created_s=NOW_S - 60, image="registry.example/web:old")
    new = deployment(namespace="default", created_s=NOW_S, image="registry.example/web:new")
    for order in ((old, new), (new, old)):
        wants = wants_with({"a": {}}, *order)
        assert wants.of_device("a")["web"].key == ("shop", "web")


LABELS = st.dictionaries(st.sampled_from("kr"), st.sampled_from("12"), max_size=2)
DEVICES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("labels"), DEVICES, LABELS),
        st.tuples(st.just("gone"), DEVICES, st.just({})),
        st.tuples(st.just("want"), st.sampled_from(["web", "db"]), LABELS),
        st.tuples(st.just("drop"), st.sampled_from(["web", "db"]), st.just({})),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_changes_the_index_agrees_with_plain_matching(
    steps: list[tuple[str, str, dict[str, str]]],
) -> None:
    wants = Wants()
    labels: dict[str, dict[str, str]] = {}
    resources = {}
    for what, name, value in steps:
        if what == "labels":
            wants.set_labels(name, value)
            labels[name] = value
        elif what == "gone":
            wants.drop_device(name)
            labels.pop(name, None)
        elif what == "want":
            resources[name] = deployment(name, labels=value)
            wants.set_want(Want.of(resources[name]))
        else:
            wants.drop_want(("default", name))
            resources.pop(name, None)
    for name, resource in resources.items():
        expected = {d for d, on in labels.items() if resource.spec.target_selector.matches(on)}
        assert set(wants.selected(("default", name))) == expected
    for device, on_device in labels.items():
        expected_names = {
            name
            for name, resource in resources.items()
            if resource.spec.target_selector.matches(on_device)
        }
        assert set(wants.of_device(device)) == expected_names
