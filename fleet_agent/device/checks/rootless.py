"""What rootless podman needs of the system: ids of its own, lingering, a runtime folder, cgroups.

Source: podman(1), "Rootless mode"; subuid(5); newuidmap(1); loginctl(1).
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from fleet_agent.device.checks.commands import find_program
from fleet_agent.device.checks.finding import Finding, Subject, fail, ok, skip, warn

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_agent.device.machine import Machine

_ABOUT: Final = "rootless"
_IDS_NEEDED: Final = 65_536
"""An image may own files as any user of 16 bits."""
_CONTROLLERS: Final = frozenset({"memory", "pids"})


async def check_rootless(subject: Subject) -> list[Finding]:
    """Look at the prerequisites of rootless podman; nothing for root."""
    if not subject.uses_podman:
        return []
    if subject.machine.is_root:
        return [skip(_ABOUT, "this is root: podman needs nothing more")]
    return await asyncio.to_thread(_look, subject.machine)


def _look(machine: Machine) -> list[Finding]:
    return [
        *(_check_ids(machine, name) for name in ("subuid", "subgid")),
        _check_mappers(machine),
        _check_linger(machine),
        _check_runtime_folder(machine.runtime_folder()),
        _check_cgroups(machine),
    ]


def _check_ids(machine: Machine, name: str) -> Finding:
    file = machine.path(f"/etc/{name}")
    owners = {machine.user_name, str(machine.user_id)}
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return fail(_ABOUT, f"{file}: {error.strerror}", _adding(machine))
    entries = [line.split(":") for line in lines]
    count = sum(
        int(entry[2])
        for entry in entries
        if len(entry) == 3 and entry[0] in owners and entry[2].strip().isdecimal()  # noqa: PLR2004 - subuid(5)
    )
    if count >= _IDS_NEEDED:
        return ok(_ABOUT, f"{file} gives {machine.user_name} {count} ids")
    what = f"{file} gives {machine.user_name} {count} ids, images need {_IDS_NEEDED}"
    return (warn if count else fail)(_ABOUT, what, _adding(machine))


def _adding(machine: Machine) -> str:
    ids = "100000-165535"
    return f"usermod --add-subuids {ids} --add-subgids {ids} {machine.user_name}"


def _check_mappers(machine: Machine) -> Finding:
    missing = [name for name in ("newuidmap", "newgidmap") if not find_program(machine, name)]
    if missing:
        install = "install it: apt-get install uidmap, or dnf install shadow-utils"
        return fail(_ABOUT, f"{' and '.join(missing)} not found", install)
    return ok(_ABOUT, "newuidmap and newgidmap are there")


def _check_linger(machine: Machine) -> Finding:
    if machine.lingers():
        return ok(_ABOUT, f"{machine.user_name} lingers: it all runs while nobody is logged in")
    what = "agent and containers end when the user logs out, and do not start at boot"
    return warn(_ABOUT, what, f"loginctl enable-linger {machine.user_name}")


def _check_runtime_folder(folder: Path) -> Finding:
    if folder.is_dir() and os.access(folder, os.W_OK):
        return ok(_ABOUT, f"{folder} is there (XDG_RUNTIME_DIR)")
    what = f"{folder}, the folder for sockets, is not there or not writable"
    return fail(_ABOUT, what, "log in as this user (not by su or sudo), or enable lingering")


def _check_cgroups(machine: Machine) -> Finding:
    """Look at which limits containers of a user can have (cgroups v2, what is delegated)."""
    slice_ = f"/sys/fs/cgroup/user.slice/user-{machine.user_id}.slice"
    file = machine.path(f"{slice_}/user@{machine.user_id}.service/cgroup.controllers")
    try:
        delegated = set(file.read_text(encoding="utf-8").split())
    except OSError:
        what = "no control groups are delegated to the user: limits of memory and CPU do nothing"
        return warn(_ABOUT, what, "boot with cgroups v2: systemd.unified_cgroup_hierarchy=1")
    missing = sorted(_CONTROLLERS - delegated)
    if missing:
        what = f"limits do nothing without these control groups: {', '.join(missing)}"
        return warn(
            _ABOUT, what, "systemctl edit user@.service: [Service] Delegate=cpu memory pids"
        )
    return ok(_ABOUT, "memory and pids of containers can be limited")
