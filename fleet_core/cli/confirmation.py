"""Before the fleet is changed: the plan is told, and a person says that it is meant."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Final

from fleet_core.cli.output import narrate
from fleet_core.errors import RefusedError
from fleet_core.operations.plans import Friction, counted

if TYPE_CHECKING:
    import argparse

    from fleet_core.operations.plans import Plan

SHOWN_DEVICES: Final = 10
_ANSWER_MAX_BYTES: Final = 1_024


def plan_lines(plan: Plan) -> list[str]:
    """Return what a person should know before they say yes."""
    lines = [plan.title]
    if plan.devices:
        shown = ", ".join(plan.devices[:SHOWN_DEVICES])
        more = len(plan.devices) - SHOWN_DEVICES
        lines.append(f"  devices: {shown}{f' and {more:,} more' if more > 0 else ''}")
    if plan.offline:
        lines.append(f"  {counted(plan.offline, 'device')} of these offline: not reached now")
    lines += [f"  warning: {warning}" for warning in plan.warnings]
    lines.append(f"  as a command: {plan.command}")
    return lines


async def confirm(plan: Plan, options: argparse.Namespace) -> None:
    """Return when it is confirmed: by flags, or by what is typed on the terminal.

    Raises:
        RefusedError: it is not.
    """
    if options.confirm is not None:
        if options.confirm == plan.confirmation:
            return
        raise RefusedError(f"--confirm {options.confirm!r} does not fit: {_wanted(plan)}")
    if options.yes and plan.friction is not Friction.TYPE_NAME:
        return
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        flag = "--yes" if plan.friction is not Friction.TYPE_NAME else "--confirm"
        raise RefusedError(
            f"nothing was changed: {_wanted(plan)}, and this is no terminal",
            remedy=f"give {flag}{'' if flag == '--yes' else f' {plan.confirmation}'}",
        )
    print(f"{_question(plan)}: ", end="", file=sys.stderr, flush=True)
    answer = await _typed_line()
    if answer.casefold() not in _answers(plan):
        raise RefusedError("nothing was changed")


def _wanted(plan: Plan) -> str:
    if plan.friction is Friction.CONFIRM:
        return "it has to be confirmed"
    return f"{plan.confirmation!r} has to be typed"


def _question(plan: Plan) -> str:
    match plan.friction:
        case Friction.TYPE_NUMBER:
            return f"type the number of devices, {plan.confirmation}, to go on"
        case Friction.TYPE_NAME:
            return f"this is production: type {plan.confirmation} to go on"
        case _:
            return "go on? [y/N]"


def _answers(plan: Plan) -> tuple[str, ...]:
    if plan.friction is Friction.CONFIRM:
        return ("y", "yes")
    return (plan.confirmation.casefold(),)


async def _typed_line() -> str:
    """Return a line from the terminal, without blocking the link to NATS meanwhile."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[bytes] = loop.create_future()
    number = sys.stdin.fileno()

    def readable() -> None:
        if not line.done():
            line.set_result(os.read(number, _ANSWER_MAX_BYTES))

    loop.add_reader(number, readable)
    try:
        return (await line).decode(errors="replace").strip()
    finally:
        loop.remove_reader(number)


def show_plan(plan: Plan) -> None:
    """Tell the plan on standard error, last what must be in sight when the question comes."""
    for line in (*plan.diff, *plan_lines(plan)):
        narrate(line)
