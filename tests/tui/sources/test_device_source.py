"""The devices as rows: filter and sort against a plain computation, cells, and when they differ."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet_core.contracts.states import Phase
from fleet_core.view import FilterError, Health
from fleet_tui.sources.device_source import DeviceSource, rtt_text
from fleet_tui.table import Sort
from fleet_tui.table.ages import UNKNOWN
from tests.view.fleets import NOW_S, FedView


@dataclass(frozen=True)
class Device:
    name: str
    site: str
    version: str
    restarts: int
    seen_ago_s: float
    rtt_ms: float | None
    fails: bool


DEVICE = st.builds(
    Device,
    name=st.from_regex(r"[a-d]{1,2}-[0-9]{1,2}", fullmatch=True),
    site=st.sampled_from(["berlin", "paris", "lyon"]),
    version=st.sampled_from(["1.2.9", "1.3.1", "1.3.2"]),
    restarts=st.integers(0, 5),
    seen_ago_s=st.sampled_from([0.0, 1.0, 100.0, 5_000.0]),
    rtt_ms=st.one_of(st.none(), st.sampled_from([0.5, 12.0, 1_200.0])),
    fails=st.booleans(),
)
FLEET = st.lists(DEVICE, max_size=12, unique_by=lambda device: device.name)

FILTERS = {
    "": lambda _: True,
    "site=berlin": lambda device: device.site == "berlin",
    "site!=berlin version~1.3": lambda d: d.site != "berlin" and "1.3" in d.version,
    "restarts>=3 or site=lyon": lambda device: device.restarts >= 3 or device.site == "lyon",
    "not (deploy:web=failed)": lambda device: not device.fails,
    "age>1m": lambda device: device.seen_ago_s > 60,
}
SORTS = {
    "device": lambda device: device.name,
    "site": lambda device: device.site,
    "agent": lambda device: device.version,
    "restarts": lambda device: device.restarts,
    "seen": lambda device: device.seen_ago_s,
    "rtt": lambda device: (device.rtt_ms is None, device.rtt_ms),
}


def fed_with(fleet: list[Device]) -> FedView:
    fed = FedView()
    for device in fleet:
        fed.info(device.name, version=device.version, site=device.site)
        fed.manifest(device.name, "web")
        fed.beat(device.name, NOW_S - device.seen_ago_s)
        fed.state(
            device.name,
            "web",
            phase=Phase.FAILED if device.fails else Phase.RUNNING,
            reason="CrashLoopBackOff" if device.fails else "Running",
            restarts=device.restarts,
        )
        if device.rtt_ms is not None:
            fed.view.record_ping(device.name, device.rtt_ms)
    fed.synced()
    fed.view.tick(NOW_S)
    return fed


def source_of(fed: FedView) -> DeviceSource:
    source = DeviceSource(fed.view, clock=lambda: NOW_S)
    source.refresh(now=True)
    return source


def shown(source: DeviceSource) -> list[str]:
    return [source.key(row) for row in source.rows]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fleet=FLEET,
    text=st.sampled_from(list(FILTERS)),
    column=st.sampled_from(list(SORTS)),
    descending=st.booleans(),
)
def test_filter_and_sort_agree_with_a_plain_computation(
    fleet: list[Device], text: str, column: str, *, descending: bool
) -> None:
    source = source_of(fed_with(fleet))
    source.set_filter(text)
    source.set_sort(column, descending=descending)
    by_name = sorted(fleet, key=lambda device: device.name)
    expected = sorted(by_name, key=SORTS[column], reverse=descending)
    assert shown(source) == [device.name for device in expected if FILTERS[text](device)]
    assert source.total == len(fleet)


def small() -> FedView:
    return fed_with(
        [
            Device("ok", "berlin", "1.3.2", 0, 0.0, 12.0, fails=False),
            Device("bad", "paris", "1.3.2", 7, 0.0, None, fails=True),
            Device("gone", "lyon", "1.2.9", 0, 5_000.0, None, fails=False),
        ]
    )


def test_faults_are_what_fails_or_is_not_online() -> None:
    source = source_of(small())
    source.faults_only = True
    source.refresh(now=True)
    assert shown(source) == ["bad", "gone"]


def test_the_cells_of_a_device() -> None:
    source = source_of(small())
    row = source.row("bad")
    assert row is not None
    texts = [text for text, _ in source.cells(row)]
    assert texts[:3] == ["bad", "● online", "paris"]
    assert texts[5:] == ["0/1", "web CrashLoopBackOff (7)", "7", "ok", UNKNOWN]


def test_what_an_offline_device_runs_is_not_known() -> None:
    source = source_of(small())
    row = source.row("gone")
    assert row is not None
    assert source.view.devices.health[row] == Health.OFFLINE
    assert source.cells(row)[5] == ("?/1", "dim")


def test_a_heartbeat_alone_does_not_look_anew() -> None:
    fed = small()
    source = source_of(fed)
    before = source.version
    fed.beat("ok", NOW_S + 1)
    source.refresh()
    assert source.version == before


def test_a_new_device_is_seen_at_the_next_look() -> None:
    fed = small()
    source = source_of(fed)
    fed.info("another", site="berlin")
    source.refresh(now=True)
    assert "another" in shown(source)


def test_a_wrong_filter_changes_nothing() -> None:
    source = source_of(small())
    source.set_filter("site=paris")
    with pytest.raises(FilterError):
        source.set_filter("site=")
    assert source.filter == "site=paris"
    assert shown(source) == ["bad"]


def test_the_same_column_turns_round() -> None:
    source = source_of(small())
    source.set_sort("restarts")
    assert source.sort == Sort("restarts")
    source.set_sort("restarts")
    assert source.sort == Sort("restarts", descending=True)
    assert shown(source)[0] == "bad"


@pytest.mark.parametrize(
    ("rtt_ms", "text"), [(0.44, "0.4 ms"), (12.4, "12 ms"), (999.0, "999 ms"), (1_234.0, "1.2 s")]
)
def test_round_trips_are_told_in_few_characters(rtt_ms: float, text: str) -> None:
    assert rtt_text(rtt_ms) == text
