"""The systemd unit that keeps the agent running, and why each of its lines is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

UNIT_NAME: Final = "fleet-agent.service"
MARK: Final = "# Written by `fleet-agent install`."
"""The first line of a unit of ours: one without it is somebody else's."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_QUOTE = re.compile(r"[\"'\\]")
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@%+-]+")
_UNIT: Final = """\
{mark} Change it by `{edit}`: what is
# changed in this file is overwritten by the next installation.

[Unit]
Description=Fleet agent: makes the desired deployments of this device run
{after}# However often it fails, it is started again: nobody may be near the device.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
Restart=always
RestartSec=5
# SIGTERM ends the agent within 10 s.
TimeoutStopSec=15

# The workloads go on running when the agent stops, fails or is upgraded. With the default
# (control-group) systemd would kill every process in this unit's control group, and some of the
# workloads' helpers live in it whenever the agent itself started `podman system service`: conmon
# under the cgroupfs manager, and rootless podman's network helpers. podman.service does the same.
KillMode=process
# podman makes control groups of its own below this one, which systemd must leave alone.
Delegate=yes
TasksMax=infinity
# A workload that was killed for want of memory is not the agent's end.
OOMPolicy=continue
{section}
# Containers inherit the limit: as much as podman itself gives them.
LimitNOFILE=1048576
# No core dump is written, since the credentials would be in it; a workload may raise its own.
LimitCORE=0:infinity
UMask=0077
# No more than this is hardened, on purpose. podman's children, the workloads among them, inherit
# NoNewPrivileges= and every filter of system calls (and rootless podman needs newuidmap, which is
# setuid); ProtectSystem=, PrivateTmp= and their like give the unit a view of the mounts of its own,
# in which the next start would not find the containers' mounts of the last.

[Install]
WantedBy={target}
"""
_SYSTEM_AFTER: Final = """\
# After the network where something else waits for it; neither Requires= nor Wants=, because the
# device must start, and its workloads with it, where there is no network at all.
After=network-online.target
"""
_SYSTEM_SECTION: Final = """\
StateDirectory=fleet-agent
StateDirectoryMode=0700
# When memory runs out, the agent is among the last to be killed: it starts the others again.
OOMScoreAdjust=-500
"""


def unit_text(command: Sequence[str], *, for_user: bool) -> str:
    """Return the unit that runs the command, for the system or for one user's own manager.

    Raises:
        InvalidInputError: the command cannot stand in a unit.
    """
    edit = f"systemctl{' --user' if for_user else ''} edit fleet-agent"
    return _UNIT.format(
        mark=MARK,
        edit=edit,
        command=" ".join([_program(command[0]), *map(_argument, command[1:])]),
        after="" if for_user else _SYSTEM_AFTER,
        section="" if for_user else _SYSTEM_SECTION,
        target="default.target" if for_user else "multi-user.target",
    )


def is_ours(text: str) -> bool:
    """Tell whether a unit was written by `unit_text`."""
    return text.startswith(MARK)


def _program(path: str) -> str:
    if _QUOTE.search(path):
        raise InvalidInputError(
            f"{path[:80]!r}: systemd starts no program with such a name",
            expected="a path without quotes and backslashes",
            remedy="install fleet-agent elsewhere",
        )
    return _quoted(path)


def _argument(word: str) -> str:
    """Quote one argument; ``$`` begins a variable in arguments, though not in the program."""
    return _quoted(word.replace("$", "$$"))


def _quoted(word: str) -> str:
    """Quote one word as systemd.service(5), "Command lines", and systemd.syntax(7) ask for."""
    if _CONTROL.search(word):
        raise InvalidInputError(
            f"{word[:80]!r} cannot stand in a systemd unit",
            expected="a path without line breaks and control characters",
        )
    escaped = word.replace("%", "%%")
    if _PLAIN.fullmatch(escaped):
        return escaped
    escaped = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
