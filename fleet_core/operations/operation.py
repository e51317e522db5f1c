"""What every operation is: its face (title, key, parameters), its plan, and its audited run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import Plan, Request, Scope, TargetResult


class ParameterKind(StrEnum):
    """How a parameter is read from a command line."""

    TEXT = "text"
    FLAG = "flag"
    COUNT = "count"
    DURATION = "duration"
    """Whole seconds, written as ``90s``, ``10m``, ``2h``, ``1d``."""
    SECONDS = "seconds"
    """Seconds with a fraction."""
    FILE = "file"
    PROGRAM = "program"
    """Everything after ``--``, as it stands: a program and its arguments."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a `Request`, as the command line and the command palette offer it."""

    name: str
    """The field of `Request`."""
    help: str
    flags: tuple[str, ...] = ()
    """As ``("-f", "--file")``; none means that it is positional."""
    metavar: str = ""
    kind: ParameterKind = ParameterKind.TEXT
    many: bool = False
    required: bool = False
    default: Any = None


class Operation(ABC):
    """Something that a person can do to the fleet."""

    id: ClassVar[str]
    """A stable word: the CLI's sub-command, the key map's id, the audit record's operation."""
    title: ClassVar[str]
    help: ClassVar[str]
    key: ClassVar[str]
    """The default key in the terminal UI."""
    scope: ClassVar[Scope]
    mutates: ClassVar[bool]
    parameters: ClassVar[tuple[Parameter, ...]]
    group: ClassVar[str] = ""
    """What the command line says before it, as in ``fleet rollout pause NAME``."""
    noun: ClassVar[str] = ""
    """What the command line says after the sub-command, as in ``fleet delete deployment NAME``."""

    @property
    def word(self) -> str:
        """What the command line calls it, within its group."""
        return self.id.removeprefix(f"{self.group}-") if self.group else self.id

    @abstractmethod
    def buckets(self, request: Request) -> tuple[str, ...]:
        """Return what the read model must be fed from to plan this request."""

    @abstractmethod
    async def plan(self, fleet: LiveFleet, request: Request) -> Plan:
        """Return what would be touched. It changes nothing, so read-only contexts allow it.

        Whoever offers to run a mutating plan calls `Context.refuse_if_read_only` first; `run`
        refuses in any case.

        Raises:
            InvalidInputError: a filter, a name or a manifest is wrong; the place is told.
            NotFoundError: the request names what does not exist.
            RetryLaterError: the link to NATS is gone.
        """

    @abstractmethod
    def perform(self, fleet: LiveFleet, plan: Plan) -> AsyncGenerator[TargetResult, None]:
        """Do it, unaudited: yield each target's result as it arrives. Callers use `run`."""

    async def run(self, fleet: LiveFleet, plan: Plan) -> AsyncGenerator[TargetResult, None]:
        """Do what the plan says; yield each target's result as it arrives.

        An operation that changes the fleet leaves an audit record, whatever way it ends; close
        the generator (`contextlib.aclosing`) where it may not be read to its end.

        Raises:
            RefusedError: the context is read-only.
            AuditUnavailableError: no audit record can be written, so nothing was changed.
            AuditLostError: it was done, but its record could not be written.
            RetryLaterError: the link to NATS went away.
        """
        performed = self.perform(fleet, plan)
        if self.mutates:
            from fleet_core.operations.audit import audited  # noqa: PLC0415 - only where needed

            performed = audited(fleet, plan, performed)
        async with aclosing(performed):
            async for result in performed:
                yield result
