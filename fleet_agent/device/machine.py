"""What the commands on the device know of the machine: its root, its user, its environment."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet_agent.config import DEFAULT_CONFIG_PATH, environment

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT_USER: Final = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine as this process sees it; a test describes another one."""

    user_id: int
    user_name: str
    home: Path
    environ: Mapping[str, str]
    root: Path = Path("/")

    @classmethod
    def this(cls) -> Machine:
        """Return the machine that this process runs on."""
        user_id = os.geteuid()
        try:
            entry = pwd.getpwuid(user_id)
        except KeyError:  # a user that no directory knows, as some images run their programs
            return cls(user_id, str(user_id), Path.home(), environment())
        return cls(user_id, entry.pw_name, Path(entry.pw_dir), environment())

    @property
    def is_root(self) -> bool:
        """Whether the user may do everything."""
        return self.user_id == ROOT_USER

    def path(self, absolute: str | Path) -> Path:
        """Return where a path of the machine lies, below its root."""
        return self.root / str(absolute).lstrip("/")

    def runtime_folder(self) -> Path:
        """Return the user's folder for sockets (XDG Base Directory Specification)."""
        return Path(self.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{self.user_id}")

    def lingers(self) -> bool:
        """Tell whether the user's services run while nobody is logged in (loginctl(1))."""
        return self.path(f"/var/lib/systemd/linger/{self.user_name}").exists()

    def config_file(self, *, for_user: bool) -> Path:
        """Return where the configuration lies by default: the system's, or the user's own."""
        if not for_user:
            return self.path(DEFAULT_CONFIG_PATH)
        return self._user_folder("XDG_CONFIG_HOME", ".config") / "fleet-agent" / "config.toml"

    def unit_file(self, *, for_user: bool) -> Path:
        """Return where the service's unit lies (systemd.unit(5), "Unit File Load Path")."""
        if not for_user:
            return self.path("/etc/systemd/system/fleet-agent.service")
        folder = self._user_folder("XDG_CONFIG_HOME", ".config")
        return folder / "systemd" / "user" / "fleet-agent.service"

    def state_folder(self, *, for_user: bool) -> Path:
        """Return where the agent keeps its state by default."""
        if not for_user:
            return self.path("/var/lib/fleet-agent")
        return self._user_folder("XDG_STATE_HOME", ".local/state") / "fleet-agent"

    def _user_folder(self, variable: str, default: str) -> Path:
        named = self.environ.get(variable, "")
        return Path(named) if named.startswith("/") else self.home / default
