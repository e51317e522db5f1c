"""Requests, plans and results: what an operation is asked, what it would touch, what came of it."""

from __future__ import annotations

import secrets
import shlex
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from fleet_core.contracts.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_TIMEOUT_S: Final = 2.0
"""A device on a bad link answers within this; one that is gone is told by the server at once."""
DEFAULT_TAIL: Final = 200
COMMAND_MAX_CHARS: Final = 4_000
"""A command line longer than this is shortened: an audit record holds 4,096 characters."""


class Scope(StrEnum):
    """What an operation is done to."""

    DEVICES = "devices"
    DEPLOYMENT = "deployment"
    NONE = "none"


class Friction(StrEnum):
    """What a person has to do before a plan is run; it grows with the blast radius."""

    NONE = "none"
    CONFIRM = "confirm"
    """Say yes; the default is no."""
    TYPE_NUMBER = "type-number"
    """Type how many devices are touched."""
    TYPE_NAME = "type-name"
    """Type the name of the production context."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an operation is asked to do, by the names it was asked on, never by positions."""

    devices: tuple[str, ...] = ()
    filter: str = ""
    """In place of device ids: every device that the filter matches."""
    deployment: str = ""
    namespace: str = "default"
    revision: int | None = None
    """The number of a version to go back to; None: the one before the present one."""
    everything: bool = False
    """Not the next batch only, but all that are left."""
    container: str = ""
    argv: tuple[str, ...] = ()
    """The program to run and its arguments, as they stand."""
    shell_line: str = ""
    """In place of a program: a line for ``/bin/sh -c``."""
    manifest: bytes = b""
    """The YAML or JSON to apply."""
    source: str = ""
    """Where the manifest came from, as a person would name it: a file name, or ``-``."""
    tail: int = DEFAULT_TAIL
    since_s: int | None = None
    previous: bool = False
    timestamps: bool = False
    timeout_s: float = DEFAULT_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Plan:
    """What an operation would do, to be shown before it is done."""

    operation: str
    title: str
    """One line: ``redeploy web on 14 devices``."""
    targets: tuple[str, ...]
    """What a result is told for: device ids, or deployments as ``namespace/name``."""
    devices: tuple[str, ...]
    """The devices that are touched."""
    offline: int | None
    """How many of the devices are offline; None where the read model was not loaded."""
    command: str
    """The same thing as a ``fleet …`` command line, quoted for a shell."""
    friction: Friction = Friction.NONE
    confirmation: str = ""
    """What has to be typed: ``y``, the number of devices, or the context's name."""
    diff: tuple[str, ...] = ()
    """Lines of a unified diff of YAML, stored against new."""
    warnings: tuple[str, ...] = ()
    changes: bool = True
    """Whether running it would change anything; an unchanged Deployment is not written again."""
    id: str = ""
    """Names the operation in the audit stream, and its commands to the devices."""
    audit_target: str = ""
    """What the audit record says it was done to."""
    work: Any = field(default=None, repr=False, compare=False)
    """What the operation itself noted for `run`; nobody else reads it."""


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What came of an operation on one target."""

    target: str
    """A device id, or a deployment as ``namespace/name``."""
    ok: bool
    message: str
    """One line for a person, inert in a terminal."""
    rtt_ms: float | None = None
    kind: str = "ok"
    """``ok``, or the kind of the error: ``offline``, ``timeout``, ``refused``, ``conflict``…"""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What else was told, for JSON: ``agent_version``, ``uptime_s``, ``lines``…"""
    outcome: str = ""
    """What the audit record says of it beside the counts: ``exit code 3``."""


def friction_of(*, devices: int, production: str) -> tuple[Friction, str]:
    """Return what a person has to do before the fleet is changed, and what must be typed.

    ``production`` is the name of the context where it is a production one, else empty.
    """
    if production:
        return Friction.TYPE_NAME, production
    if devices > 1:
        return Friction.TYPE_NUMBER, str(devices)
    return Friction.CONFIRM, "y"


def new_operation_id() -> str:
    """Return an id for one operation: for its audit record and its commands to the devices."""
    return secrets.token_hex(8)


def command_line(words: Sequence[str]) -> str:
    """Return a command line that a shell reads as these words; a very long one is shortened."""
    return printable(shlex.join(words), COMMAND_MAX_CHARS)


def counted(count: int, singular: str) -> str:
    """Return ``1 device``, ``1,204 devices``."""
    return f"{count:,} {singular}{'' if count == 1 else 's'}"
