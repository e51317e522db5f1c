"""Which keys are marked, and from where a range mark starts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Marks:
    """A set of marked keys that remembers the last one marked."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.anchor: str | None = None
        """The key that was marked last: where a range starts."""

    def toggle(self, key: str) -> None:
        """Mark a key, or unmark it."""
        if key in self.keys:
            self.keys.remove(key)
            self.anchor = None
        else:
            self.keys.add(key)
            self.anchor = key

    def extend(self, keys: Iterable[str], end: str) -> None:
        """Mark all of the keys; the next range starts at ``end``."""
        self.keys.update(keys)
        self.anchor = end

    def replace(self, keys: Iterable[str]) -> bool:
        """Make these keys the marked ones; return whether that changed anything."""
        wanted = set(keys)
        changed = wanted != self.keys
        self.keys = wanted
        self.anchor = None
        return changed
