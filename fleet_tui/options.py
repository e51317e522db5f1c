"""What the program was started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """How one session of the terminal UI runs."""

    command: str = ""
    """A command to start with, as ``:devices /site=berlin``."""
    keys: Mapping[str, Any] = field(default_factory=dict)
    """The ``[keys]`` table of the config file."""
    views: Mapping[str, str] = field(default_factory=dict)
    """The ``[views]`` table of the config file: commands by digit."""
    state_directory: Path | None = None
    """Where histories are kept; None keeps none."""
    restricted: bool = False
    """Whoever looks has no shell here (``--ssh``): no file is read or written for them."""
