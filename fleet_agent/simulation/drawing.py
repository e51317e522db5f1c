"""Drawing from a fleet's seed: the same seed and names give the same values on every machine."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Mapping


def generator(*names: object) -> random.Random:
    """Return a generator of its own for what the names name."""
    return random.Random("/".join(map(str, names)))


def fraction(*names: object) -> float:
    """Return a number from 0 up to 1 for what the names name; cheaper than a generator."""
    text = "/".join(map(str, names)).encode()
    # The second round spreads names that differ in their last letter only.
    return crc32(text[::-1], crc32(text)) / 2**32


def between(bounds: tuple[float, float], part: float) -> float:
    """Return the number that lies at ``part`` (0 to 1) of the range."""
    least, most = bounds
    return least + (most - least) * part


def weighted(weights: Mapping[str, float], rng: random.Random) -> str:
    """Return one of the keys by its weight."""
    return rng.choices(list(weights), list(weights.values()))[0]
