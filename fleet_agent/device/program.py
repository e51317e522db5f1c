"""How this very program is started again, by systemd, from nowhere in particular."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_NAME: Final = "fleet-agent"


def program_command(invoked_as: str, interpreter: str) -> list[str]:
    """Return the absolute command line of this program (``sys.argv[0]``, ``sys.executable``).

    Symbolic links are kept as they are: behind one, an upgrade may change what it points to.
    """
    candidates = [Path(invoked_as).absolute()] if Path(invoked_as).name == _NAME else []
    candidates.append(Path(interpreter).with_name(_NAME))
    for script in candidates:
        if script.is_file() and os.access(script, os.X_OK):
            return [str(script)]
    return [str(Path(interpreter).absolute()), "-m", "fleet_agent"]
