"""What was refused at the door: counted by bucket, and told once for each key."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.text import printable

if TYPE_CHECKING:
    from fleet_core.errors import InvalidInputError

_log = logging.getLogger(__name__)

_TOLD_KEYS: Final = 1_000


class Refusals:
    """Counts malformed payloads; a key is told again only when refused for another reason."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """By bucket."""
        self._told: dict[tuple[str, str], str] = {}

    def note(self, bucket: str, key: str, error: InvalidInputError) -> None:
        """Count a refused payload, and log it unless that was done."""
        self.counts[bucket] += 1
        text = printable(str(error), 500)
        if self._told.get((bucket, key)) == text:
            return
        if len(self._told) >= _TOLD_KEYS:
            self._told.clear()
        self._told[bucket, key] = text
        _log.warning("refused in %s, %s: %s", bucket, printable(key, 200), text)
