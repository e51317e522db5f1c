"""What a command is about to do, step by step: done and told, or only told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_core.errors import BrokenError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that changes the machine."""

    what: str
    """As an order: ``write /etc/…``."""
    do: Callable[[], None]


@dataclass(slots=True)
class Plan:
    """Everything that is to be done, in order, and what the person should know and do after it."""

    steps: list[Step] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """What is as it should be already, or is left alone on purpose."""
    next: list[str] = field(default_factory=list)

    def add(self, what: str, do: Callable[[], None]) -> None:
        """Add a step to the end."""
        self.steps.append(Step(what, do))

    def carry_out(self, tell: Callable[[str], None]) -> None:
        """Do every step, telling each when it is done, then what was kept and what comes next.

        Raises:
            FleetError: a step failed; those before it are done, those after it are not.
        """
        for step in self.steps:
            try:
                step.do()
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise BrokenError(f"cannot {step.what}: {reason}") from error
            tell(f"done: {step.what}")
        self._tell_rest(tell)

    def rehearse(self, tell: Callable[[str], None]) -> None:
        """Tell what `carry_out` would do, and do nothing."""
        for step in self.steps:
            tell(f"would: {step.what}")
        self._tell_rest(tell)

    def _tell_rest(self, tell: Callable[[str], None]) -> None:
        for each in self.kept:
            tell(f"kept: {each}")
        if self.next:
            tell("next:")
        for number, each in enumerate(self.next, start=1):
            tell(f"  {number}. {each}")
