"""Which selectors may match some labels, without asking each of a thousand. Pure.

A selector that asks for ``site=berlin`` is kept under that label, and looked at only for devices
that have it. Of several labels it is kept under the one with the fewest others.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Generic, TypeVar

from fleet_core.contracts.selectors import SelectorOperator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.contracts.selectors import LabelSelector

K = TypeVar("K")
Anchor = tuple[str, str | None]
"""A label and its value; None: whatever its value is."""


class SelectorIndex(Generic[K]):
    """Keys by what their selectors ask for."""

    def __init__(self) -> None:
        self._at: defaultdict[Anchor, set[K]] = defaultdict(set)
        self._anywhere: set[K] = set()
        """Those whose selectors ask for nothing that a device has."""
        self._anchors: dict[K, tuple[Anchor, ...]] = {}

    def put(self, key: K, selector: LabelSelector) -> None:
        """Keep a key under its selector, in place of the one before."""
        self.drop(key)
        choices = _choices(selector)
        if not choices:
            self._anywhere.add(key)
            return
        anchors = min(choices, key=lambda some: sum(len(self._at[anchor]) for anchor in some))
        self._anchors[key] = anchors
        for anchor in anchors:
            self._at[anchor].add(key)

    def drop(self, key: K) -> None:
        """Forget a key."""
        self._anywhere.discard(key)
        for anchor in self._anchors.pop(key, ()):
            self._at[anchor].discard(key)
            if not self._at[anchor]:
                del self._at[anchor]

    def candidates(self, labels: Mapping[str, str]) -> set[K]:
        """Return all keys whose selectors may match the labels, and few others."""
        found = set(self._anywhere)
        for name, value in labels.items():
            found |= self._at.get((name, value), set())
            found |= self._at.get((name, None), set())
        return found


def _choices(selector: LabelSelector) -> list[tuple[Anchor, ...]]:
    """Return sets of labels, of each of which a device has one at least if it is selected."""
    choices: list[tuple[Anchor, ...]] = [(pair,) for pair in selector.match_labels.items()]
    for asked in selector.match_expressions:
        if asked.operator is SelectorOperator.IN:
            choices.append(tuple((asked.key, value) for value in sorted(set(asked.values))))
        elif asked.operator is SelectorOperator.EXISTS:
            choices.append(((asked.key, None),))
    return choices
