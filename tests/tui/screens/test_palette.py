"""The palette: what it finds, how fast, and what enter does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.dialogs.palette import Palette
from fleet_tui.screens.device import DeviceScreen
from fleet_tui.screens.devices import DevicesScreen
from fleet_tui.screens.events import EventsScreen
from fleet_tui.screens.help import HelpScreen
from fleet_tui.screens.yaml_view import YamlScreen
from fleet_tui.sources.palette_offers import MAX_OFFERS, Offer, OfferIndex
from tests.support.steady_fleet import steady_app
from tests.support.waiting import eventually
from tests.tui.screens.screen_text import screen_text
from tests.tui.screens.test_yaml import deployment, store
from tests.view.fleets import FedView

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot

    from fleet_tui.app import FleetApp

NAMES = st.lists(
    st.text("abc-", min_size=1, max_size=8).filter(lambda name: name.strip("-") == name),
    unique=True,
)


def small_fleet() -> FedView:
    fed = FedView()
    for device in ("berlin-kiosk-017", "berlin-kiosk-018", "paris-kiosk-018"):
        fed.info(device, site=device.partition("-")[0])
        fed.beat(device)
    store(fed, deployment())
    fed.synced()
    return fed


async def opened(app: FleetApp, pilot: Pilot[object]) -> Palette:
    await eventually(lambda: isinstance(app.screen, DevicesScreen))
    await pilot.pause()
    await pilot.press("ctrl+p")
    await eventually(lambda: isinstance(app.screen, Palette))
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, Palette)
    return screen


def found(index: OfferIndex, text: str) -> list[str]:
    return [offer.text for offer in index.find(text)]


def test_the_better_match_stands_first() -> None:
    offers = [Offer("redeploy", "run again"), Offer("deployments", ""), Offer("sort", "deploy")]
    assert found(OfferIndex(offers, ()), "deploy") == ["deployments", "redeploy", "sort"]


def test_letters_in_order_are_found_where_nothing_better_is() -> None:
    assert found(OfferIndex([Offer("deployments", ""), Offer("devices", "")], ()), "dplm") == [
        "deployments"
    ]


def test_every_word_must_be_there() -> None:
    index = OfferIndex([Offer("sort", "sort the table")], ["berlin-kiosk-1", "paris-kiosk-1"])
    assert found(index, "kiosk ber") == ["berlin-kiosk-1"]
    assert found(index, "sort table") == ["sort"]
    assert found(index, "sort nothing") == []


def test_an_exact_name_is_first_however_many_begin_with_it() -> None:
    index = OfferIndex([], [f"kiosk-1{n:03}" for n in range(500)] + ["kiosk-1"])
    assert found(index, "kiosk-1")[0] == "kiosk-1"
    assert len(index.find("kiosk-1")) == MAX_OFFERS


@given(NAMES, st.text("abc-", min_size=1, max_size=3))
def test_devices_are_those_that_hold_the_text(names: list[str], text: str) -> None:
    expected = {name for name in names if text in name}
    shown = found(OfferIndex([], names), text)
    assert set(shown) <= expected
    assert len(shown) == min(len(expected), MAX_OFFERS)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["k", "kiosk-0999", "99999", "nothing-like-it", "kiosk 917"])
def test_100000_names_are_searched_within_10_ms(text: str) -> None:
    index = OfferIndex([], [f"site-{n % 40}-kiosk-{n:06}" for n in range(100_000)])

    def seconds() -> float:
        started = time.perf_counter()
        index.find(text)
        return time.perf_counter() - started

    # The best of several: other programs share the machine.
    assert min(seconds() for _ in range(7)) < 0.010


async def test_enter_opens_a_device() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press(*"k-018")
        await pilot.pause()
        assert "paris-kiosk-018" in screen_text(app)
        await pilot.press("down", "enter")
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        assert app.screen.device_id == "paris-kiosk-018"  # type: ignore[attr-defined]  # told above


async def test_enter_opens_a_view() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press(*"events", "enter")
        await eventually(lambda: isinstance(app.screen, EventsScreen))


async def test_enter_opens_a_deployment() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press(*"web", "enter")
        await eventually(lambda: "deploy:web!=none" in screen_text(app))
        await pilot.press("ctrl+p", *"web yaml", "enter")
        await eventually(lambda: isinstance(app.screen, YamlScreen))


async def test_what_needs_an_argument_is_left_to_be_completed() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press(*"sort the", "enter")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        screen = app.screen
        assert isinstance(screen, DevicesScreen)
        await eventually(lambda: screen.prompt.is_open)
        assert screen.prompt.text == "sort "


async def test_the_actions_of_the_view_are_offered_with_their_keys_and_done() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(80, 24)) as pilot:
        palette = await opened(app, pilot)
        offers = {offer.text: offer for offer in palette.offers}
        assert offers["Faults only"].key == "f"
        await pilot.press(*"faults o", "enter")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        await eventually(lambda: "faults only" in screen_text(app))
        await pilot.press("ctrl+p", *"help", "enter")
        await eventually(lambda: isinstance(app.screen, HelpScreen))


async def test_escape_changes_nothing_and_nothing_found_is_said() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press(*"zzzz", "enter")
        await pilot.pause()
        assert "nothing is called so" in screen_text(app)
        assert isinstance(app.screen, Palette)
        await pilot.press("escape")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))


async def test_what_is_typed_is_no_markup() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("left_square_bracket", "r", "right_square_bracket", "slash", "escape")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_how_it_looks(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    app = steady_app(small_fleet())

    async def search(pilot: Pilot[object]) -> None:
        await opened(app, pilot)
        await pilot.press(*"de")
        app.tick()  # The hints of the view behind it follow at the next beat.
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=search)
