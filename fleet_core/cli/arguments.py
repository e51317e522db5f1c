"""The command line: global options, and the sub-commands, those of operations from the registry."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from fleet_core.cli import exit_codes
from fleet_core.cli.examples import examples_of
from fleet_core.contracts.devices import DEFAULT_HEARTBEAT_INTERVAL_S
from fleet_core.errors import InvalidInputError
from fleet_core.operations import parameters
from fleet_core.operations.durations import parse_duration
from fleet_core.operations.operation import Operation, Parameter, ParameterKind
from fleet_core.operations.registry import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DESCRIPTION: Final = "See and change a fleet of devices."
EPILOG: Final = """\
The NATS server is named by --nats, else --context, else $FLEET_NATS_URL, else current-context
in the config file ($FLEET_CONFIG, else ~/.config/fleet/config.toml).

Filters are those of the terminal UI: words match any text; site=berlin, status!=online, age>10m,
version~1.4, deploy:web=failed, cause~exit, joined by and, or, not, ( ).

fleet COMMAND --help shows examples. Standard output is data, standard error is narration. Exit
codes: 0 ok, 1 some failed, 2 usage, 3 cannot connect, 130 interrupted.
"""
FORMATS: Final = ("table", "wide", "json", "yaml")
KINDS: Final = ("devices", "deployments", "failures")
MAX_TIMEOUT_S: Final = 3_600
_FUNCTIONS: Final = {"logs": "logs:logs", "exec": "exec:execute"}
"""Of operations that print something else than a line for each target."""
GROUPS: Final = {"rollout": "watch, steer and undo what reaches devices in stages"}
"""What sub-commands that have sub-commands are about."""
DEMO_HELP: Final = "run a whole fleet on this machine, until ctrl+c"
_MAX_PORT: Final = 65_535


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the options; ``command`` names the function that runs it, as ``module:function``.

    Raises:
        SystemExit: the command line is wrong (2), or help was asked for (0).
    """
    return _parser(argv).parse_args(argv)


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fleet",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_globals(parser, default_of=lambda value: value)
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, title="commands", parser_class=_CommandParser
    )
    builder = _Builder(commands)
    builder.add_views()
    for operation in OPERATIONS.values():
        builder.add_operation(operation)
    builder.add_rollout_views()
    builder.add_programs(with_demo="demo" in argv)
    for command in builder.parsers:
        # The same options are understood after the sub-command, where they must not undo those
        # before.
        _add_globals(command, default_of=lambda _: argparse.SUPPRESS)
    return parser


def _add_globals(parser: argparse.ArgumentParser, *, default_of: Callable[[Any], Any]) -> None:
    group = parser.add_argument_group("global options")
    group.add_argument("--nats", metavar="URL", default=default_of(None), help="the NATS server")
    group.add_argument(
        "--context", metavar="NAME", default=default_of(None), help="a context of the config file"
    )
    mode = group.add_mutually_exclusive_group()
    mode.add_argument(
        "--read-only",
        action="store_const",
        const=True,
        default=default_of(None),
        help="refuse to change anything",
    )
    mode.add_argument(
        "--read-write",
        dest="read_only",
        action="store_const",
        const=False,
        default=default_of(None),
        help="allow changes in a production context",
    )
    group.add_argument(
        "-o",
        "--output",
        choices=FORMATS,
        default=default_of("table"),
        help="how to print data (default: table)",
    )
    group.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=default_of(0),
        help="log more to standard error; -vv logs everything",
    )


class _CommandParser(argparse.ArgumentParser):
    """A sub-command; what follows ``--`` may be a program, of which it understands nothing."""

    program = ""
    """Where the program goes; empty where the sub-command takes none."""

    # The overloads are argparse's; nothing here depends on the kind of namespace.
    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Set a program's words aside: argparse would take those for options that look like it."""
        words = list(args or ())
        if not self.program or "--" not in words:
            return super().parse_known_args(words, namespace)
        at = words.index("--")
        found, unknown = super().parse_known_args(words[:at], namespace)
        setattr(found, self.program, words[at + 1 :])
        return found, unknown


class _Builder:
    """Adds the sub-commands."""

    def __init__(self, commands: argparse._SubParsersAction[Any]) -> None:
        self.parsers: list[argparse.ArgumentParser] = []
        self._commands = commands
        self._groups: dict[str, argparse._SubParsersAction[Any]] = {}

    def add_views(self) -> None:
        """Add what only looks."""
        get = self._add("get", "list devices, deployments or failures", "get:get")
        get.add_argument("kind", type=_plural, choices=KINDS)
        _add_filter_words(get)
        describe = self._add("describe", "show everything about one of them", "describe:describe")
        describe.add_argument("kind", choices=("device", "deployment"))
        describe.add_argument("name", metavar="NAME")
        _add_parameter(describe, parameters.NAMESPACE)
        watch = self._add("watch", "print one line for each change, until ctrl+c", "watch:watch")
        watch.add_argument("kind", nargs="?", type=_plural, choices=KINDS, default="devices")
        _add_filter_words(watch)

    def add_operation(self, operation: Operation) -> None:
        """Add the sub-command of an operation."""
        function = _FUNCTIONS.get(operation.id, "operate:operate")
        parser = self._add(operation.word, operation.help, function, operation.group)
        parser.set_defaults(operation=operation.id)
        if operation.noun:
            parser.add_argument("noun", choices=(operation.noun,), help=argparse.SUPPRESS)
        for parameter in operation.parameters:
            _add_parameter(parser, parameter)
        if operation.id == "logs":
            parser.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
        if operation.id == "exec":
            parser.set_defaults(failure_code=exit_codes.EXEC_FAILED)
        if operation.mutates:
            _add_confirmation(parser)

    def add_rollout_views(self) -> None:
        """Add what only looks at rollouts."""
        status = self._add(
            "status", "show how far a rollout is", "rollouts:status", group="rollout"
        )
        status.add_argument(
            "-w", "--watch", action="store_true", help="go on until it has ended or is paused"
        )
        history = self._add(
            "history", "list the versions that are kept", "rollouts:history", group="rollout"
        )
        history.add_argument(
            "--diff",
            dest="revision",
            type=_count,
            metavar="NUMBER",
            help="show what is different in that version from the present one",
        )
        for parser in (status, history):
            _add_parameter(parser, parameters.DEPLOYMENT)
            _add_parameter(parser, parameters.NAMESPACE)

    def add_programs(self, *, with_demo: bool) -> None:
        """Add what is no question to a fleet."""
        schema = self._add("schema", "print the JSON Schema of a payload", "schema:schema")
        schema.add_argument("name", nargs="?", metavar="NAME", help="none: list the names")
        operator = self._add("operator", "run the control plane", "control_plane:operator")
        operator.add_argument(
            "what",
            nargs="?",
            choices=("run", "crds"),
            default="run",
            help="crds: print what a cluster has to know first, for kubectl apply -f -",
        )
        operator.add_argument(
            "--heartbeat-interval",
            dest="heartbeat_interval_s",
            type=_interval,
            default=DEFAULT_HEARTBEAT_INTERVAL_S,
            metavar="SECONDS",
            help="how often devices send a sign of life "
            f"(default: {DEFAULT_HEARTBEAT_INTERVAL_S}; stale after 2.5, offline after 10 of them)",
        )
        operator.add_argument(
            "--image",
            metavar="IMAGE",
            help="with crds: print the operator itself too, two replicas of this image, with "
            "--nats, or FLEET_NATS_URL of the Secret fleet-operator-nats",
        )
        operator.add_argument(
            "--listen",
            type=_address,
            metavar="HOST:PORT",
            help="answer /healthz, /readyz and /metrics (Prometheus) there, by HTTP",
        )
        operator.add_argument(
            "--log-format",
            choices=("text", "json"),
            default="text",
            help="json: one object a line (default: text)",
        )
        _add_cluster(operator)
        self._add("version", "print the version", "version:version")
        if with_demo:
            # The demo brings the whole deployment code along: only who asks for it pays.
            from fleet_core.cli import demo  # noqa: PLC0415

            self.parsers.append(demo.add_parser(self._commands))
        else:
            self._commands.add_parser("demo", help=DEMO_HELP, add_help=False)

    def _add(self, name: str, about: str, function: str, group: str = "") -> _CommandParser:
        parser: _CommandParser = self._group(group).add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=examples_of(f"{group} {name}".strip()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        parser.set_defaults(command=f"fleet_core.cli.{function}")
        self.parsers.append(parser)
        return parser

    def _group(self, name: str) -> argparse._SubParsersAction[Any]:
        """Return where the sub-commands of a group are added; without a name, the commands."""
        if not name:
            return self._commands
        if name not in self._groups:
            parser = self._commands.add_parser(name, help=GROUPS[name], allow_abbrev=False)
            self._groups[name] = parser.add_subparsers(
                metavar="COMMAND", required=True, title="commands", parser_class=_CommandParser
            )
        return self._groups[name]


def _add_filter_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        nargs="*",
        metavar="FILTER",
        help="only what it matches, as: site=berlin and status!=online",
    )


def _add_confirmation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("before anything is changed")
    group.add_argument("--dry-run", action="store_true", help="show the plan, and change nothing")
    group.add_argument("--yes", action="store_true", help="do not ask, unless it is production")
    group.add_argument(
        "--confirm",
        metavar="TEXT",
        help="what would have to be typed: the number of devices, or production's name",
    )


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("with the Deployments of a Kubernetes cluster")
    group.add_argument("--kubeconfig", metavar="FILE", help="how to reach it")
    group.add_argument("--kube-context", metavar="NAME", help="a context of the kubeconfig")
    group.add_argument(
        "--in-cluster", action="store_true", help="the cluster of the pod that this runs in"
    )
    group.add_argument(
        "--lease-namespace",
        metavar="NAMESPACE",
        default="default",
        help="where operators agree on which of them writes (default: default)",
    )


def _add_parameter(parser: _CommandParser, parameter: Parameter) -> None:
    settings: dict[str, Any] = {"help": parameter.help}
    if parameter.kind is ParameterKind.FLAG:
        settings["action"] = "store_true"
    else:
        settings["metavar"] = parameter.metavar or None
        settings["type"] = _READERS[parameter.kind]
    if parameter.kind is ParameterKind.PROGRAM:
        parser.program = parameter.name
    if not parameter.flags:
        if parameter.many:
            settings["nargs"] = "*"
        parser.add_argument(parameter.name, **settings)
        return
    settings["dest"] = parameter.name
    settings["required"] = parameter.required
    settings["default"] = parameter.default
    parser.add_argument(*parameter.flags, **settings)


def _plural(kind: str) -> str:
    """Return ``devices`` for ``device``: both are in people's fingers."""
    return f"{kind}s" if f"{kind}s" in KINDS else kind


def _text(text: str) -> str:
    if not text.strip():
        # An unset shell variable must not turn "some devices" into "all of them".
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text[:32]!r} is no whole number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise argparse.ArgumentTypeError(f"{text[:32]!r} is no number from 0 to {MAX_TIMEOUT_S}")
    return seconds


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) <= _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r}: expected HOST:PORT, as 127.0.0.1:9100")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - as with any port of a server


def _interval(text: str) -> int:
    seconds = int(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= seconds <= MAX_TIMEOUT_S:
        raise argparse.ArgumentTypeError(f"{text[:32]!r} is no number from 1 to {MAX_TIMEOUT_S}")
    return seconds


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except InvalidInputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


_READERS: Final[dict[ParameterKind, Callable[[str], Any]]] = {
    ParameterKind.TEXT: _text,
    ParameterKind.COUNT: _count,
    ParameterKind.DURATION: _duration,
    ParameterKind.SECONDS: _seconds,
    ParameterKind.FILE: _text,
    ParameterKind.PROGRAM: str,
}
