"""The configuration: that it can be read, that it is right, and that it keeps its secrets."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet_agent.config import CONFIG_VARIABLE, load_config
from fleet_agent.device.checks.finding import Finding, fail, ok, warn
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from fleet_agent.config_model import AgentConfig
    from fleet_agent.device.machine import Machine

ABOUT: Final = "config"
_SECRETS: Final = "config secrets"


def configuration_file(machine: Machine, named: Path | None) -> Path | None:
    """Return the file that is read: the named one, the system's, or the user's; None if none is.

    The user's own is where ``install --user`` puts it, and its service names it.
    """
    variable = machine.environ.get(CONFIG_VARIABLE)
    if named is not None or variable:
        return named or Path(str(variable))
    candidates = [machine.config_file(for_user=False)]
    if not machine.is_root:
        candidates.insert(0, machine.config_file(for_user=True))
    return next((file for file in candidates if _is_there(file)), None)


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return True  # it may not even be looked at: reading it tells so


def check_configuration(
    machine: Machine, named: Path | None
) -> tuple[AgentConfig | None, list[Finding]]:
    """Return the configuration, if it is sound, and what was found; reads files."""
    file = configuration_file(machine, named)
    if file is None and not any(name.startswith("FLEET_AGENT_") for name in machine.environ):
        absent = f"there is none: no {machine.config_file(for_user=False)}, no {CONFIG_VARIABLE}"
        return None, [fail(ABOUT, absent, "fleet-agent install writes an example to fill in")]
    try:
        config = load_config(machine.environ, file)
    except InvalidInputError as error:
        remedy = error.remedy or f"mend it: {error.expected or 'see the example'}"
        if not machine.is_root and "Permission denied" in error.message:
            remedy = "call it as the user that the agent runs as, perhaps with sudo"
        return None, [fail(ABOUT, error.message, remedy)]
    source = str(file) if file else "the environment alone"
    found = [ok(ABOUT, f"{source} is sound; this device is {config.agent.device_id}")]
    return config, [*found, *map(_check_secret, _secret_files(config, file))]


def _secret_files(config: AgentConfig, file: Path | None) -> list[Path]:
    """Return the files in which passwords stand."""
    registries = config.registries.values()
    inside = config.credentials or any(each.password for each in registries)
    files = [file] if file is not None and inside else []
    return files + [Path(each.password_file) for each in registries if each.password_file]


def _check_secret(file: Path) -> Finding:
    try:
        with file.open("rb"):
            mode = file.stat().st_mode
    except OSError as error:
        return fail(_SECRETS, f"{file}: {error.strerror}", "write it, readable for the agent")
    shown = f"{stat.S_IMODE(mode):04o}"
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        return fail(_SECRETS, f"{file} is open to every user ({shown})", f"chmod 600 {file}")
    if mode & stat.S_IWGRP:
        return warn(_SECRETS, f"{file} may be written by its group ({shown})", f"chmod 600 {file}")
    return ok(_SECRETS, f"{file} is closed to other users ({shown})")
