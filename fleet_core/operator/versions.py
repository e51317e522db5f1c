"""A version of a Deployment's score, as devices are given it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet_core.contracts.devices import ManifestEntry


@dataclass(frozen=True, slots=True)
class Version:
    """What is written to a device: the score, and the line of the manifest that names it."""

    score: bytes
    """Canonical JSON."""
    entry: ManifestEntry
