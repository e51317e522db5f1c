"""Room on disk: for what the agent must know after a reboot, and for images and containers."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Final

from fleet_agent.device.checks.finding import Finding, Subject, fail, ok, skip, warn
from fleet_agent.device.checks.podman import storage_folder
from fleet_agent.device.kept import read_kept
from fleet_core.errors import FleetError

_STATE: Final = "state"
_STORAGE: Final = "images"
MIB: Final = 1024 * 1024
WARN_BYTES: Final = 512 * MIB
"""Less will not take the next image."""
FAIL_BYTES: Final = 64 * MIB
WARN_INODES: Final = 20_000
"""An image of an operating system has about so many files."""
FAIL_INODES: Final = 1_000


async def check_state_folder(subject: Subject) -> list[Finding]:
    """Try to write where the agent keeps its state, and look at the room."""
    device_id = subject.config.agent.device_id if subject.config else None
    return await asyncio.to_thread(_look_at_state, state_folder(subject), device_id)


async def check_storage(subject: Subject) -> list[Finding]:
    """Look at the room where podman keeps images and containers."""
    if not subject.uses_podman:
        return []
    try:
        folder = await storage_folder(subject)
    except FleetError as error:
        return [skip(_STORAGE, f"podman does not tell where they are: {error.message}")]
    return [await asyncio.to_thread(_room, _STORAGE, folder)]


def state_folder(subject: Subject) -> Path:
    """Return where the agent keeps its state: as configured, or by default."""
    configured = subject.config.agent.state_dir if subject.config else None
    if configured is not None:
        return Path(configured)
    return subject.machine.state_folder(for_user=not subject.machine.is_root)


def _look_at_state(folder: Path, device_id: str | None) -> list[Finding]:
    there = _nearest(folder)
    remedy = f"make it writable for the agent: {folder}"
    if there == folder:
        try:
            with tempfile.TemporaryFile(dir=folder) as trial:
                trial.write(b"\0" * 4096)
                trial.flush()
                os.fsync(trial.fileno())
        except OSError as error:
            return [fail(_STATE, f"{folder} cannot be written: {error.strerror}", remedy)]
    elif not os.access(there, os.W_OK | os.X_OK):
        return [fail(_STATE, f"{folder} is not there, and {there} is not writable", remedy)]
    owner = _owner(folder)
    if None not in (owner, device_id) and owner != device_id:
        what = f"{folder} holds the state of {owner}, and this device is {device_id}"
        return [fail(_STATE, what, "remove the folder, or set [agent] state_dir to another")]
    return [_room(_STATE, folder)]


def _owner(folder: Path) -> str | None:
    """Return the device whose state it is; None where that is not known."""
    try:
        agent = read_kept(folder).agent
    except FleetError:
        return None
    return agent.device_id if agent else None


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    for each in (folder, *folder.parents):
        try:
            if each.is_dir():
                return each
        except OSError:
            continue
    return Path("/")


def _room(about: str, folder: Path) -> Finding:
    there = _nearest(folder)
    try:
        told = os.statvfs(there)
    except OSError as error:
        return fail(about, f"{there}: {error.strerror}", "mend the file system")
    free = told.f_bavail * told.f_frsize
    # Some file systems (btrfs) have no fixed number of inodes, and say 0 of 0.
    inodes = told.f_favail if told.f_files else None
    return judge(about, folder, free, inodes)


def judge(about: str, folder: Path, free: int, inodes: int | None) -> Finding:
    """Judge the free bytes and the free inodes, None where they are without number."""
    count = "" if inodes is None else f" and {inodes:,} inodes"
    what = f"{folder}: {free // MIB:,} MiB{count} free"
    remedy = "make room: podman image prune, journalctl --vacuum-size=100M"
    if free < FAIL_BYTES or (inodes is not None and inodes < FAIL_INODES):
        return fail(about, what, remedy)
    if free < WARN_BYTES or (inodes is not None and inodes < WARN_INODES):
        return warn(about, what, remedy)
    return ok(about, what)
