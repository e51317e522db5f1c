"""What `exec` is asked: the command made from a person's words, and those words made from it."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.commands import EXEC_DEADLINE_S, ExecRequest
from fleet_core.contracts.text import printable
from fleet_core.errors import InvalidInputError
from fleet_core.operations import targets
from fleet_core.operations.plans import command_line

if TYPE_CHECKING:
    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import Request

_SHOWN_PROGRAM_CHARS: Final = 60


def exec_request(request: Request, *, request_id: str) -> ExecRequest:
    """Return the command; the deployment may be given as ``DEPLOYMENT/CONTAINER``.

    Raises:
        InvalidInputError: no program or two, a container without its deployment, a name that is
            none, or more seconds than a device grants.
    """
    deployment, slash, container = request.deployment.partition("/")
    container = container if slash else request.container
    if bool(request.argv) == bool(request.shell_line):
        remedy = "give either -- PROGRAM ARGUMENT… or --shell LINE"
        what = (
            "both a program and a shell line are given" if request.argv else "no program is given"
        )
        raise InvalidInputError(what, path="argv", expected="one of them", remedy=remedy)
    if container and not deployment:
        raise InvalidInputError(
            f"the container {printable(container, 80)!r} is named without its deployment",
            path="deployment",
            expected="a deployment",
            remedy="name it too: -d DEPLOYMENT",
        )
    return targets.validated(
        ExecRequest,
        request_id=request_id,
        argv=list(request.argv) or None,
        shell=request.shell_line or None,
        timeout_s=math.ceil(request.timeout_s),
        deployment=deployment or None,
        container=container or None,
    )


def place_of(asked: ExecRequest) -> str:
    """Return where it runs: ``web/main``, ``web``; empty for the device itself."""
    return "/".join(name for name in (asked.deployment, asked.container) if name)


def program_text(asked: ExecRequest) -> str:
    """Return what is run as a person would type it, on one short line."""
    line = asked.shell if asked.shell is not None else shlex.join(asked.argv or ())
    return printable(line, _SHOWN_PROGRAM_CHARS)


def exec_command(fleet: LiveFleet, request: Request, asked: ExecRequest) -> str:
    """Return the same thing as a ``fleet exec`` command line."""
    words = ["--filter", request.filter] if request.filter else list(request.devices)
    words += ["-d", asked.deployment] if asked.deployment else []
    words += ["-c", asked.container] if asked.container else []
    words += ["--timeout", str(asked.timeout_s)] if asked.timeout_s != EXEC_DEADLINE_S else []
    words += ["--shell", asked.shell] if asked.shell is not None else ["--", *(asked.argv or ())]
    return command_line(["fleet", *fleet.context.arguments, "exec", *words])
