"""What can be typed after the colon: the views, and what is done to the fleet or to the view."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet_core.errors import InvalidInputError, NotFoundError, RefusedError
from fleet_core.operations.plans import Request
from fleet_core.view import complete
from fleet_tui.locations import Location
from fleet_tui.sources.exec_places import Place
from fleet_tui.views import VIEWS, is_view

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleet_tui.app import FleetApp

MANIFEST_MAX_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """Something to type after the colon."""

    name: str
    aliases: tuple[str, ...]
    usage: str
    help: str
    run: Callable[[FleetApp, Location], None]
    """Raises FleetError where what was typed is wrong."""
    takes_filter: bool = True
    """Whether a blank and a slash begin a filter; else the argument is left as it stands."""


def _quit(app: FleetApp, _typed: Location) -> None:
    app.exit(0)


def _sort(app: FleetApp, typed: Location) -> None:
    column, _, direction = typed.argument.partition(" ")
    if direction.strip() not in {"", "asc", "desc"}:
        raise InvalidInputError("sort: expected asc or desc after the column")
    app.sort(column, {"": None, "asc": False, "desc": True}[direction.strip()])


def _devices_of(app: FleetApp, typed: Location) -> None:
    name = typed.argument
    if not name:
        raise InvalidInputError("devices-of: expected a deployment's name")
    app.go(f"devices /deploy:{name}!=none")


def _ping(app: FleetApp, typed: Location) -> None:
    app.start("ping", Request(devices=tuple(typed.argument.split()), filter=typed.filter))


def _redeploy(app: FleetApp, typed: Location) -> None:
    deployment, *devices = typed.argument.split() or [""]
    app.start(
        "redeploy",
        Request(deployment=deployment, devices=tuple(devices), filter=typed.filter),
    )


def _exec(app: FleetApp, typed: Location) -> None:
    where, dashes, line = f"{typed.argument} ".partition(" -- ")
    devices, deployment, container, *more = [*where.split(), "", "", ""]
    if not devices or any(more):
        raise InvalidInputError("exec: expected a device", remedy=_EXEC_USAGE)
    place = Place(tuple(filter(None, devices.split(","))), deployment, container)
    if dashes:
        # It may come from a link or a saved view: only what is typed for a place runs at once.
        app.exec_line(place, line.strip(), ask=True)
    else:
        app.ask_exec(place)


def _delete(app: FleetApp, typed: Location) -> None:
    namespace, slash, name = typed.argument.partition("/")
    request = (
        Request(namespace=namespace, deployment=name) if slash else Request(deployment=namespace)
    )
    app.start("delete", request)


def _telling(verb: str) -> Callable[[FleetApp, Location], None]:
    """Return what tells the rollout of the Deployment that is named to do something."""

    def tell(app: FleetApp, typed: Location) -> None:
        place, _, more = typed.argument.partition(" ")
        namespace, slash, name = place.rpartition("/")
        fully = verb == "promote" and more == "--fully"
        if not name or (more and not fully):
            raise InvalidInputError(f"{verb}: expected a deployment's name alone")
        request = Request(
            namespace=namespace if slash else "default", deployment=name, everything=fully
        )
        app.start(f"rollout-{verb}", request)

    return tell


def _undo(app: FleetApp, typed: Location) -> None:
    place, _, number = typed.argument.partition(" ")
    namespace, slash, name = place.rpartition("/")
    if not name or (number and not number.isdecimal()):
        raise InvalidInputError("undo: expected a deployment's name, and a revision's number")
    request = Request(
        namespace=namespace if slash else "default",
        deployment=name,
        revision=int(number) if number else None,
    )
    app.start("rollout-undo", request)


def _apply(app: FleetApp, typed: Location) -> None:
    if app.options.restricted:
        raise RefusedError(
            "this session reads no files", remedy="apply from a shell: fleet apply -f FILE"
        )
    # What follows a blank and a slash was read as a filter; here it belongs to the path.
    path = Path(f"{typed.argument} /{typed.filter}".strip() if typed.filter else typed.argument)
    path = path.expanduser()
    try:
        with path.open("rb") as file:
            manifest = file.read(MANIFEST_MAX_BYTES + 1)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    app.start("apply", Request(manifest=manifest, source=str(path)))


_EXEC_USAGE: Final = "exec DEVICE[,DEVICE…] [DEPLOYMENT [CONTAINER]] [-- SHELL LINE]"

COMMANDS: Final = (
    Command("ping", (), "ping DEVICE… or ping /FILTER", "ping devices", _ping),
    Command(
        "redeploy",
        (),
        "redeploy DEPLOYMENT [DEVICE… or /FILTER]",
        "run it again from the start",
        _redeploy,
    ),
    Command("exec", (), _EXEC_USAGE, "run a shell line there", _exec, takes_filter=False),
    Command("apply", (), "apply FILE", "apply the Deployments of a YAML file", _apply),
    Command("delete", ("rm",), "delete [NAMESPACE/]NAME", "delete a Deployment", _delete),
    Command(
        "devices-of",
        (),
        "devices-of DEPLOYMENT",
        "the devices that should run it, and how they stand",
        _devices_of,
    ),
    Command("pause", (), "pause [NAMESPACE/]NAME", "start no more devices", _telling("pause")),
    Command("resume", (), "resume [NAMESPACE/]NAME", "go on with a rollout", _telling("resume")),
    Command(
        "promote",
        (),
        "promote [NAMESPACE/]NAME [--fully]",
        "take the present batch as good",
        _telling("promote"),
    ),
    Command("abort", (), "abort [NAMESPACE/]NAME", "end a rollout as it is", _telling("abort")),
    Command(
        "revert",
        (),
        "revert [NAMESPACE/]NAME",
        "have all run the version before",
        _telling("revert"),
    ),
    Command(
        "undo", (), "undo [NAMESPACE/]NAME [REVISION]", "apply an earlier version again", _undo
    ),
    Command("sort", (), "sort COLUMN [asc|desc]", "sort the table", _sort),
    Command("quit", ("q", "q!", "exit"), "quit", "leave", _quit),
)

_ROLLOUT_WORDS: Final = ("history", "pause", "resume", "promote", "abort", "revert", "undo")
_DEPLOYMENT_AT: Final = {
    "redeploy": 0,
    "delete": 0,
    "deployment": 0,
    "exec": 1,
    **dict.fromkeys(_ROLLOUT_WORDS, 0),
}
"""At which word of a command's argument the name of a deployment stands."""
_BY_NAME: Final = {
    name: command for command in COMMANDS for name in (command.name, *command.aliases)
}


def run_line(app: FleetApp, line: str) -> None:
    """Carry out what was typed after the colon.

    Raises:
        FleetError: there is no such command, or its arguments are wrong.
    """
    typed = Location.parse(line)
    if not typed.view:
        return
    command = _BY_NAME.get(typed.view)
    if command is not None:
        command.run(app, typed if command.takes_filter else Location.verbatim(line))
    elif is_view(typed.view):
        app.go(line)
    else:
        raise NotFoundError(f"there is no command {typed.view[:32]!r}", remedy="? lists them")


def completions(app: FleetApp, text: str) -> Sequence[str]:
    """Return what a line being typed could become, best first."""
    head, slash, filter_text = text.partition(" /")
    command = _BY_NAME.get(text.partition(" ")[0])
    if slash and (command is None or command.takes_filter):
        return [f"{head} /{found}" for found in complete(filter_text, app.view.devices)]
    word, blank, argument = text.partition(" ")
    if not blank:
        names = [*(kind.name for kind in VIEWS), *(command.name for command in COMMANDS)]
        return [f"{name} " for name in names if name.startswith(word)]
    return [f"{word} {found}" for found in _arguments(app, word, argument)]


def _arguments(app: FleetApp, word: str, argument: str) -> Sequence[str]:
    typed = argument.rpartition(" ")[2]
    done = argument.removesuffix(typed)
    if word in {"device", "ping", "logs", "exec"} and (word == "ping" or not done):
        names: Sequence[str] = list(app.view.devices.slot_of)
    elif len(done.split()) == _DEPLOYMENT_AT.get(word, -1):
        names = [name for _, name in app.view.deployments]
    elif word == "sort" and not done:
        names = app.sortable
    elif word == "apply":
        return _paths(app, argument)
    else:
        return ()
    return [f"{done}{name}" for name in sorted(n for n in names if n.startswith(typed))[:50]]


def _paths(app: FleetApp, typed: str) -> Sequence[str]:
    if app.options.restricted:
        return ()
    folder, _, start = typed.rpartition("/")
    base = Path(f"{folder}/" if "/" in typed else ".").expanduser()
    try:
        found = sorted(path for path in base.iterdir() if path.name.startswith(start))
    except OSError:
        return ()
    prefix = f"{folder}/" if "/" in typed else ""
    return [f"{prefix}{path.name}{'/' if path.is_dir() else ''}" for path in found[:50]]
