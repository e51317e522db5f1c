"""The YAML view: what is stored, searched, and followed as it changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.resources import Deployment
from fleet_core.errors import InvalidInputError
from fleet_tui.locations import Location
from fleet_tui.screens.yaml_view import YamlScreen, yaml_cells
from tests.support.steady_fleet import steady_app
from tests.support.stored_fleet import StoredOpener, stored_app
from tests.support.waiting import eventually
from tests.tui.screens.device_samples import DEVICE, failing_web, stored_device, tell
from tests.tui.screens.screen_text import screen_text
from tests.view.fleets import FedView

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot

    from fleet_tui.app import FleetApp
    from tests.support.nats_server import NatsServer


def deployment(
    name: str = "web", *, image: str = "shop/web:1.4", generation: int = 1
) -> Deployment:
    return Deployment.model_validate(
        {
            "metadata": {"name": name, "generation": generation},
            "spec": {
                "targetSelector": {"matchLabels": {"site": "berlin"}},
                "score": {
                    "type": "PodmanV0",
                    "data": {"services": [{"name": "web", "image": image}]},
                },
            },
        }
    )


def with_deployment(resource: Deployment) -> FedView:
    fed = FedView()
    store(fed, resource)
    fed.synced()
    return fed


def store(fed: FedView, resource: Deployment) -> None:
    fed.put("deployments", f"default.{resource.metadata.name}", encode(resource))


async def shown(app: FleetApp) -> YamlScreen:
    """Return the view once it shows something."""
    await eventually(lambda: isinstance(app.screen, YamlScreen))
    screen = app.screen
    assert isinstance(screen, YamlScreen)
    await eventually(lambda: screen.text.lines)
    return screen


def text_of(screen: YamlScreen) -> str:
    return "\n".join(text[1:] for text, _ in screen.text.lines)


@pytest.mark.parametrize("name", ["web", "default/web"])
async def test_a_deployment_reads_back_as_what_it_is(name: str) -> None:
    app = steady_app(with_deployment(deployment()), command=f"yaml deployment {name}")
    async with app.run_test(size=(80, 24)):
        read = yaml.safe_load(text_of(await shown(app)))
    status = read.pop("status")
    assert decode(Deployment, json.dumps(read).encode()) == deployment()
    assert status["aggregate"]["matchedDeviceCount"] == 0


async def test_it_follows_what_is_stored() -> None:
    fed = with_deployment(deployment())
    app = steady_app(fed, command="yaml deployment web")
    async with app.run_test(size=(80, 24)):
        screen = await shown(app)
        store(fed, deployment(image="shop/web:1.5", generation=2))
        await eventually(lambda: "shop/web:1.5" in text_of(screen))
        assert "shop/web:1.4" not in text_of(screen)


async def test_a_device_shows_all_that_is_stored_of_it(nats_server: NatsServer) -> None:
    fed = stored_device()
    app = stored_app(fed, nats_server.url, command=f"yaml device {DEVICE}")
    async with app.run_test(size=(100, 30)):
        screen = await shown(app)
        read = yaml.safe_load(text_of(screen))
        assert read["id"] == DEVICE
        assert read["info"]["inventory"]["kernel"] == "6.1.0-18-arm64"
        assert read["states"]["web"]["failure"]["exit_code"] == 3
        assert read["manifest"]["deployments"]["catalogue"]["generation"] == 8
        tell(fed, failing_web(error="another error"))
        opener = app._opener
        assert isinstance(opener, StoredOpener)
        await opener.store()
        await eventually(lambda: "another error" in text_of(screen))


async def test_search_counts_highlights_and_walks_round() -> None:
    app = steady_app(with_deployment(deployment()), command="yaml deployment web")
    async with app.run_test(size=(80, 12)) as pilot:
        screen = await shown(app)
        await pilot.press("slash", *"name", "enter")
        await eventually(lambda: f"{screen.text.matches} found" in screen_text(app))
        assert screen.text.matches > 2
        places = []
        for _ in range(screen.text.matches + 1):
            places.append(screen.text._match)
            await pilot.press("n")
        assert places[0] == places[-1]
        assert len(set(places)) == screen.text.matches
        await pilot.press("N", "N")
        assert screen.text._match == places[-2]
        await pilot.press("escape")
        await eventually(lambda: "found" not in screen_text(app))
        assert isinstance(app.screen, YamlScreen)


async def test_a_link_to_it_carries_the_search() -> None:
    fed = with_deployment(deployment())
    app = steady_app(fed, command="yaml deployment web /image")
    async with app.run_test(size=(80, 12)):
        screen = await shown(app)
        await eventually(lambda: screen.text.search == "image")
        assert str(screen.location) == ":yaml deployment web /image"


@pytest.mark.parametrize("line", ["yaml", "yaml device", "yaml nonsense web", "yaml web"])
def test_what_names_nothing_is_refused(line: str) -> None:
    with pytest.raises(InvalidInputError, match="expected what to show"):
        YamlScreen.at(Location.parse(line))


async def test_what_does_not_exist_is_told_and_awaited() -> None:
    fed = FedView()
    app = steady_app(fed, command="yaml deployment web")
    async with app.run_test(size=(80, 24)):
        screen = await shown(app)
        assert "there is no deployment web" in screen_text(app)
        store(fed, deployment())
        await eventually(lambda: "shop/web:1.4" in text_of(screen))


async def test_hostile_text_stays_text(nats_server: NatsServer) -> None:
    fed = stored_device()
    hostile = "\x1b[2J[red]x[/]\u202e\u6f22\u5b57"
    tell(fed, failing_web(log=f"{hostile}\n{hostile}", error=hostile))
    app = stored_app(fed, nats_server.url, command=f"yaml device {DEVICE} /[red]")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app)
        await eventually(lambda: "[red]x[/]" in screen_text(app))
        await pilot.pause()
        assert "\x1b" not in screen_text(app)
        assert "\u202e" not in screen_text(app)
        assert all(strip.cell_length == 80 for strip in app.screen._compositor.render_strips())


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (" name: web", "name"),
        ("   - image: shop/web:1.4", "image"),
        (" 'quoted: key': 1", "'quoted: key'"),
        (" spec:", "spec"),
        (" - plain", None),
        (" http://x", None),
    ],
)
def test_keys_stand_out(line: str, key: str | None) -> None:
    cells = yaml_cells((line, "text"))
    assert "".join(text for text, _ in cells) == line
    assert next((text for text, style in cells if style == "accent"), None) == key


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_how_it_looks(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    app = steady_app(with_deployment(deployment()), command="yaml deployment web /name")

    async def settle(pilot: Pilot[object]) -> None:
        screen = await shown(app)
        await eventually(lambda: screen.text.search)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=settle)
