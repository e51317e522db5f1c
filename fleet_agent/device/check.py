"""``fleet-agent check``: every check at once, told in one fixed order."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Final

from fleet_agent.device.checks.clock import check_clock
from fleet_agent.device.checks.configuration import check_configuration
from fleet_agent.device.checks.disk import check_state_folder, check_storage
from fleet_agent.device.checks.finding import CHECK_DEADLINE_S, Finding, Level, Subject, fail
from fleet_agent.device.checks.nats import check_nats
from fleet_agent.device.checks.network import check_dns, check_tcp
from fleet_agent.device.checks.podman import check_podman, check_socket
from fleet_agent.device.checks.rootless import check_rootless
from fleet_agent.device.threads import UnwaitedThreads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fleet_agent.device.checks.finding import Check
    from fleet_agent.device.machine import Machine

_log = logging.getLogger(__name__)
_NATS_DEADLINE_S: Final = 3 * CHECK_DEADLINE_S
"""The handshake, the rights and the ping come one after another, each with its own deadline."""
_CHECKS: Final[Sequence[tuple[str, Check, float]]] = (
    ("podman", check_podman, CHECK_DEADLINE_S),
    ("podman socket", check_socket, CHECK_DEADLINE_S),
    ("rootless", check_rootless, CHECK_DEADLINE_S),
    ("state", check_state_folder, CHECK_DEADLINE_S),
    ("images", check_storage, CHECK_DEADLINE_S),
    ("clock", check_clock, CHECK_DEADLINE_S),
    ("dns", check_dns, CHECK_DEADLINE_S),
    ("tcp", check_tcp, CHECK_DEADLINE_S),
    ("nats", check_nats, _NATS_DEADLINE_S),
)


def diagnose(machine: Machine, config_file: Path | None) -> list[Finding]:
    """Run every check; returns what was found, in an order that is always the same."""
    config, found = check_configuration(machine, config_file)
    return found + asyncio.run(_run_all(Subject(machine, config)))


async def _run_all(subject: Subject) -> list[Finding]:
    asyncio.get_running_loop().set_default_executor(UnwaitedThreads())
    return await run_checks(subject, _CHECKS)


async def run_checks(subject: Subject, checks: Sequence[tuple[str, Check, float]]) -> list[Finding]:
    """Run the checks side by side; one that hangs or breaks is a finding, not the end."""
    found = await asyncio.gather(
        *(_guarded(subject, about, check, deadline_s) for about, check, deadline_s in checks)
    )
    return [finding for findings in found for finding in findings]


async def _guarded(subject: Subject, about: str, check: Check, deadline_s: float) -> list[Finding]:
    try:
        async with asyncio.timeout(deadline_s):
            return await check(subject)
    except TimeoutError:
        what = f"not finished within {deadline_s:g} s"
        return [fail(about, what, "the machine may be overloaded, or a disk or command may hang")]
    except Exception as error:  # noqa: BLE001 - the other findings are worth more than a traceback
        _log.debug("the check of %s broke", about, exc_info=True)
        what = f"could not be checked: {type(error).__name__}"
        return [
            fail(about, what, "this is a fault of fleet-agent: call it with -vv, and report it")
        ]


def is_sound(findings: Sequence[Finding]) -> bool:
    """Tell whether nothing failed."""
    return all(finding.level is not Level.FAIL for finding in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """Return one line a finding: its word, what it is about, what was found, and the remedy."""
    width = max((len(finding.about) for finding in findings), default=0)
    lines = []
    for finding in findings:
        remedy = f"  -> {finding.remedy}" if finding.remedy else ""
        about = finding.about.ljust(width)
        lines.append(f"{finding.level.value:<4}  {about}  {finding.what}{remedy}\n")
    return "".join(lines)


def as_json(findings: Sequence[Finding]) -> str:
    """Return the findings as one JSON object."""
    told = {
        "ok": is_sound(findings),
        "findings": [finding.as_json() for finding in findings],
    }
    return f"{json.dumps(told, indent=2, ensure_ascii=False)}\n"
