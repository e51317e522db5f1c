"""The status of an agent as lines for a person, and as JSON for a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fleet_agent.device.spans import spoken
from fleet_core.contracts.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fleet_agent.device.status import DeploymentStatus, Status

_COLUMNS = ("DEPLOYMENT", "GENERATION", "PHASE", "REASON", "INIT", "RESTARTS", "EVENT", "ERROR")


def status_text(status: Status, now_s: float) -> str:
    """Return what is known, with its age: ``now_s`` is in Unix seconds."""
    agent, kept = status.kept.agent, status.kept
    lines = [
        f"device   {agent.device_id if agent else 'not known'}",
        f"agent    {_agent(status, now_s)}",
        f"link     {_link(status, now_s)}",
        f"known    {_knowledge(status, now_s)}",
        *(f"problem  {printable(each)}" for each in kept.problems),
    ]
    if kept.desired is not None:
        lines.append(f"wanted   generation {kept.desired.manifest.generation} of the manifest")
    else:
        lines.append("wanted   nothing that this agent has heard of")
    if status.deployments:
        lines += ["", *_table([_COLUMNS, *(_row(each, now_s) for each in status.deployments)])]
    return "".join(f"{line}\n" for line in lines)


def status_json(status: Status, now_s: float) -> str:
    """Return the same as one JSON object; ages in seconds."""
    agent, kept = status.kept.agent, status.kept
    told: dict[str, Any] = {
        "device_id": agent.device_id if agent else None,
        "agent": {
            "running": status.is_running,
            "pid": agent.pid if agent else None,
            "version": agent.agent_version if agent else None,
            "runtime": agent.runtime if agent else None,
            "started_at": _iso(agent.started_at) if agent else None,
        },
        "link": {
            "state": agent.link if agent else None,
            "since": _iso(agent.link_since) if agent else None,
            "error": agent.link_error if agent else None,
        },
        "age_s": max(0, int(now_s - kept.written_at_s)),
        "state_dir": str(kept.folder),
        "problems": kept.problems,
        "manifest_generation": kept.desired.manifest.generation if kept.desired else None,
        "deployments": [_deployment(each) for each in status.deployments],
    }
    return f"{json.dumps(told, indent=2, ensure_ascii=False)}\n"


def _knowledge(status: Status, now_s: float) -> str:
    """Return how old all this is: a running agent writes whatever changes."""
    age = f"{spoken(now_s - status.kept.written_at_s)} ago, to {status.kept.folder}"
    if status.is_running:
        return f"now: the agent writes what changes, and did so {age}"
    return f"no later than it was last written, {age}"


def _agent(status: Status, now_s: float) -> str:
    agent = status.kept.agent
    if agent is None:
        return "not known"
    who = printable(f"version {agent.agent_version}, {agent.runtime or 'no runtime told'}")
    if not status.is_running:
        return f"not running (its pid was {agent.pid}); {who}"
    since = f", up {_age(agent.started_at, now_s)}" if agent.started_at else ""
    return f"running, pid {agent.pid}{since}; {who}"


def _link(status: Status, now_s: float) -> str:
    agent = status.kept.agent
    if agent is None or not agent.link:
        return "not known"
    error = f": {printable(agent.link_error, 300)}" if agent.link_error else ""
    age = _age(agent.link_since, now_s)
    if not status.is_running:
        return f"none; it was {agent.link} {age} ago{error}"
    return f"{agent.link} for {age}{error}"


def _row(each: DeploymentStatus, now_s: float) -> tuple[str, ...]:
    told, wanted = each.told, each.wanted_generation
    seen = told.generation if told else None
    # Both where they differ: what was told is of an older wish.
    numbers = [str(number) for number in (seen, wanted) if number is not None]
    done, total = each.init_done
    return (
        each.name,
        " -> ".join(dict.fromkeys(numbers)) or "-",
        told.phase.value if told else "-",
        printable(each.reason, 40) or "-",
        f"{done}/{total}" if total else "-",
        str(told.restart_count) if told else "-",
        f"{_age(told.last_event_at, now_s)} ago" if told else "-",
        printable(told.last_error or "-", 200) if told else "-",
    )


def _deployment(each: DeploymentStatus) -> dict[str, Any]:
    told = each.told
    done, total = each.init_done
    return {
        "name": each.name,
        "wanted_generation": each.wanted_generation,
        "generation": told.generation if told else None,
        "phase": told.phase.value if told else None,
        "reason": each.reason,
        "init": {"done": done, "total": total},
        "restarts": told.restart_count if told else None,
        "last_error": told.last_error if told else None,
        "last_event_at": _iso(told.last_event_at) if told else None,
    }


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _age(at: datetime | None, now_s: float) -> str:
    return spoken(now_s - at.timestamp()) if at else "an unknown time"


def _iso(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
