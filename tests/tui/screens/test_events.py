"""The events view: what changed, newest first, filtered, bounded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.states import Phase
from fleet_core.view import parse_filter
from fleet_tui.screens.device import DeviceScreen
from fleet_tui.screens.events import EventsScreen
from fleet_tui.sources.event_source import EventSource
from tests.support.steady_fleet import steady_app
from tests.support.waiting import eventually
from tests.tui.screens.screen_text import screen_lines, screen_text
from tests.view.fleets import NOW_S, FedView

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot


def eventful() -> FedView:
    """Return a fleet in which a deployment failed and came back after everything was read."""
    fed = FedView()
    for device, site in (("berlin-1", "berlin"), ("paris-1", "paris")):
        fed.info(device, site=site)
        fed.manifest(device, "web")
        fed.beat(device, NOW_S)
        fed.state(device, "web", at_s=NOW_S - 900)
    fed.synced()
    fed.view.tick(NOW_S)
    fed.state(
        "berlin-1", "web", phase=Phase.PENDING, reason="Init:CrashLoopBackOff", at_s=NOW_S - 600
    )
    fed.state("paris-1", "web", phase=Phase.PENDING, reason="Init:0/1", at_s=NOW_S - 300)
    fed.state("berlin-1", "web", at_s=NOW_S - 120)
    return fed


def rows_of(source: EventSource) -> list[str]:
    return [" ".join(text for text, _ in source.cells(row)[1:]) for row in source.rows]


def source_of(fed: FedView) -> EventSource:
    source = EventSource(fed.view, clock=lambda: NOW_S)
    source.refresh(now=True)
    return source


def test_the_newest_stands_first() -> None:
    assert rows_of(source_of(eventful())) == [
        "berlin-1 web Running",
        "paris-1 web Init:0/1",
        "berlin-1 web Init:CrashLoopBackOff",
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 3),
        ("berlin-1", 2),
        ("site=paris", 1),
        ("event~init", 2),
        ("device=berlin-1 event~Running", 1),
        ("deployment=web not site=berlin", 1),
        ("paris", 1),
        ("crash", 1),
        ("nothing-like-it", 0),
    ],
)
def test_the_filter_language_tells_of_events_and_of_their_devices(text: str, count: int) -> None:
    source = source_of(eventful())
    assert len(source.look(parse_filter(text))) == count


def test_an_event_keeps_its_key_when_newer_ones_come() -> None:
    fed = eventful()
    source = source_of(fed)
    first = source.key(source.rows[-1])
    fed.state("paris-1", "web", at_s=NOW_S)
    source.refresh(now=True)
    assert source.key(source.rows[-1]) == first
    assert len(source.rows) == 4


def test_what_the_view_lets_go_of_is_let_go_of_here_too() -> None:
    fed = eventful()
    source = source_of(fed)
    for number in range(3_000):
        fed.state("paris-1", "web", reason=f"Init:{number}/9", at_s=NOW_S + number)
        if number % 700 == 0:
            source.refresh(now=True)
    source.refresh(now=True)
    assert len(source.rows) == source.total == len(source._events)
    assert rows_of(source)[0] == "paris-1 web Init:2999/9"


async def test_the_view_follows_and_opens_the_device() -> None:
    fed = eventful()
    app = steady_app(fed, command="events")
    async with app.run_test(size=(100, 20)) as pilot:
        await eventually(lambda: isinstance(app.screen, EventsScreen))
        await eventually(lambda: "Init:CrashLoopBackOff" in screen_text(app))
        fed.state("paris-1", "web", reason="Init:Error", at_s=NOW_S)
        app.tick()
        await pilot.pause()
        first = next(line for line in screen_lines(app) if "Init:Error" in line)
        assert re.search(r"<1m paris-1 +web +Init:Error", first)
        await pilot.press("f")
        await pilot.pause()
        assert "Init:0/1" not in screen_text(app)
        await pilot.press("g", "enter")
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        assert app.screen.device_id == "paris-1"  # type: ignore[attr-defined]  # told above


async def test_hostile_reasons_stay_text() -> None:
    fed = eventful()
    fed.state("berlin-1", "web", reason="\x1b[2J[red]x[/]\u202e\u6f22", at_s=NOW_S)
    app = steady_app(fed, command="events")
    async with app.run_test(size=(80, 24)) as pilot:
        await eventually(lambda: "[red]x[/]" in screen_text(app))
        await pilot.pause()
        assert "\x1b" not in screen_text(app)
        assert all(strip.cell_length == 80 for strip in app.screen._compositor.render_strips())


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_how_it_looks(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    app = steady_app(eventful(), command="events")

    async def settle(pilot: Pilot[object]) -> None:
        await eventually(lambda: "Init:CrashLoopBackOff" in screen_text(app))
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=settle)
