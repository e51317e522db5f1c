"""Where this machine has the fleet's programs, as the first words of a command line."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import fleet_core
from fleet_core.deploy.topology import Executable
from fleet_core.errors import BrokenError

_OWN_SETTINGS = "FLEET_"


def command_of(executable: Executable) -> tuple[str, ...]:
    """Return the command that starts the program; the fleet's own run in this very Python.

    Raises:
        BrokenError: there is no ``nats-server`` here.
    """
    match executable:
        case Executable.NATS_SERVER:
            return (str(find_nats_server()),)
        case Executable.FLEET:
            return (sys.executable, "-m", "fleet_core.cli")
        case Executable.FLEET_AGENT:
            return (sys.executable, "-m", "fleet_agent")


def find_nats_server() -> Path:
    """Return the ``nats-server`` beside this Python, where its wheel puts it, or on the PATH.

    Raises:
        BrokenError: there is none.
    """
    name = Executable.NATS_SERVER.value
    beside = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    found = shutil.which(name, path=os.pathsep.join(map(str, beside))) or shutil.which(name)
    if found is None:
        raise BrokenError(
            "there is no nats-server on this machine",
            remedy="pip install 'fleet-tui[demo]', or put nats-server on the PATH",
        )
    return Path(found).absolute()


def child_environment() -> dict[str, str]:
    """Return the environment for the fleet's programs.

    Without this shell's ``FLEET_*`` settings, which could point them to another fleet, and with
    the code that runs here, where that is a checkout which is not installed.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_OWN_SETTINGS)
    }
    environment["PYTHONUNBUFFERED"] = "1"
    code = str(Path(fleet_core.__file__).parents[1])
    if code not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        others = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([code, others] if others else [code])
    return environment
