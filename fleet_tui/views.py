"""The views of the app by the names that are typed for them; each is imported when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from fleet_core.errors import NotFoundError

if TYPE_CHECKING:
    from fleet_tui.locations import Location
    from fleet_tui.screens.fleet_screen import FleetScreen


@dataclass(frozen=True, slots=True)
class ViewKind:
    """A view that can be opened by name."""

    name: str
    aliases: tuple[str, ...]
    help: str
    screen: str
    """``module:Class`` of a `FleetScreen`, whose `at` takes a `Location`."""
    argument: str = ""
    """What it needs: a usage text, as ``DEVICE``; empty where it needs nothing."""
    root: bool = False
    """Whether it stands alone at the bottom of the stack: `esc` goes no further."""

    def open(self, location: Location) -> FleetScreen:
        """Make the screen; raises InvalidInputError where the argument is missing or wrong."""
        return self.screen_class().at(location)

    def screen_class(self) -> type[FleetScreen]:
        """Import the screen."""
        module, _, name = self.screen.partition(":")
        return cast("type[FleetScreen]", getattr(import_module(module), name))


_SCREENS: Final = "fleet_tui.screens"

VIEWS: Final = (
    ViewKind(
        "devices",
        ("device-list", "dev"),
        "all devices",
        f"{_SCREENS}.devices:DevicesScreen",
        root=True,
    ),
    ViewKind(
        "deployments",
        ("deploy", "dp"),
        "all Deployments, and how far they are",
        f"{_SCREENS}.deployments:DeploymentsScreen",
        root=True,
    ),
    ViewKind(
        "failures",
        ("fail", "faults"),
        "what fails, grouped by cause",
        f"{_SCREENS}.failures:FailuresScreen",
        root=True,
    ),
    ViewKind(
        "rollouts",
        ("ro",),
        "how far each new version is, batch by batch",
        f"{_SCREENS}.rollouts:RolloutsScreen",
        root=True,
    ),
    ViewKind(
        "jobs",
        (),
        "what was started in this session",
        f"{_SCREENS}.jobs:JobsScreen",
        root=True,
    ),
    ViewKind(
        "events",
        ("ev",),
        "what changed while this session looked",
        f"{_SCREENS}.events:EventsScreen",
        root=True,
    ),
    ViewKind("device", (), "one device in full", f"{_SCREENS}.device:DeviceScreen", argument="ID"),
    ViewKind(
        "logs",
        ("log",),
        "a log, followed",
        f"{_SCREENS}.logs:LogsScreen",
        argument="DEVICE[,DEVICE…] [DEPLOYMENT [CONTAINER]]",
    ),
    ViewKind(
        "history",
        ("revisions",),
        "a Deployment's versions, and what is different in each",
        f"{_SCREENS}.revisions:RevisionsScreen",
        argument="[NAMESPACE/]NAME",
    ),
    ViewKind(
        "yaml",
        (),
        "what is stored, as YAML",
        f"{_SCREENS}.yaml_view:YamlScreen",
        argument="device ID, or deployment NAME",
    ),
    ViewKind("help", (), "keys, commands and filters", f"{_SCREENS}.help:HelpScreen"),
    ViewKind("job", (), "the results of a job", f"{_SCREENS}.job:JobScreen", argument="NUMBER"),
    ViewKind(
        "output",
        (),
        "what the programs of an exec said",
        f"{_SCREENS}.output:OutputScreen",
        argument="JOB [DEVICE]",
    ),
)

_BY_NAME: Final = {name: kind for kind in VIEWS for name in (kind.name, *kind.aliases)}


def view_kind(name: str) -> ViewKind:
    """Return a view by name or alias; raises NotFoundError for an unknown one."""
    found = _BY_NAME.get(name)
    if found is None:
        raise NotFoundError(f"there is no view {name[:32]!r}", remedy="? lists them")
    return found


def is_view(name: str) -> bool:
    """Tell whether a word names a view."""
    return name in _BY_NAME
