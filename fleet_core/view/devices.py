"""Devices as columns: one slot each, values in arrays and lists; 100,000 of them are cheap."""

from __future__ import annotations

import math
from array import array
from sys import intern
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.devices import DEFAULT_HEARTBEAT_INTERVAL_S
from fleet_core.view.health import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_core.view.rows import DesiredRow, StateRow

NO_LABELS: Final[dict[str, str]] = {}
_LABEL_MAPS_MIN: Final = 1_000
"""So many label sets are kept without asking who has them."""
_NOTHING: Final[dict[str, DesiredRow]] = {}


class DeviceColumns:
    """The columns.

    A slot is given to a device when it is first heard of, and freed when all that is known of it
    has vanished.
    """

    def __init__(self) -> None:
        self.slot_of: dict[str, int] = {}
        self.ids: list[str] = []
        self.health = bytearray()
        self.seen_s = array("d")
        """When the server received the last heartbeat, Unix seconds; 0: never."""
        self.gap_s = array("f")
        """Seconds between the last two heartbeats; NaN where there was one only."""
        self.interval_s = array("H")
        self.labels: list[Mapping[str, str]] = []
        self.versions: list[str] = []
        self.has_info = bytearray()
        self.desired: list[Mapping[str, DesiredRow] | None] = []
        """By deployment; None where no manifest has been seen."""
        self.states: list[dict[str, StateRow]] = []
        self.ok = array("H")
        self.total = array("H")
        self.reasons: list[str] = []
        self.severity = bytearray()
        """0 all is well, 1 something is under way, 2 something fails."""
        self.restarts = array("L")
        self.rtt_ms = array("f")
        """Of the last ping; NaN: never pinged."""
        self.texts: list[str] = []
        """Lower-case id, labels, version and reason: what a bare word of a filter looks through."""
        self.revision = array("L")
        """Grows with every change of the row that a table could show."""
        self._free: list[int] = []
        self._label_maps: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        self._label_texts: dict[int, str] = {}
        self._label_maps_max = _LABEL_MAPS_MIN

    def __len__(self) -> int:
        return len(self.slot_of)

    def slot(self, device_id: str) -> int:
        """Return the device's slot, which is made if there is none."""
        found = self.slot_of.get(device_id)
        if found is not None:
            return found
        slot = self._free.pop() if self._free else self._grow()
        self.slot_of[device_id] = slot
        self.ids[slot] = self.texts[slot] = device_id
        return slot

    def free(self, slot: int) -> None:
        """Forget a device; its slot may be given to another."""
        del self.slot_of[self.ids[slot]]
        self._reset(slot)
        self._free.append(slot)

    def shared_labels(
        self, labels: Mapping[str, str], check: Callable[[Mapping[str, str]], object] | None = None
    ) -> Mapping[str, str]:
        """Return the one mapping that all devices with these labels share.

        ``check`` may refuse labels; it is asked only about those that no device had before.
        """
        key = tuple(sorted(labels.items()))
        found = self._label_maps.get(key)
        if found is None:
            if check is not None:
                check(labels)
            if len(self._label_maps) >= self._label_maps_max:
                self._forget_unused_labels()
            found = {intern(name): intern(value) for name, value in key}
            self._label_maps[tuple(found.items())] = found
        return found

    def _forget_unused_labels(self) -> None:
        """Let go of label sets that no device has any more; a hostile one may send many."""
        used = {id(labels): labels for labels in self.labels}
        self._label_maps = {tuple(labels.items()): labels for labels in used.values()}
        self._label_texts = {key: t for key, t in self._label_texts.items() if key in used}
        self._label_maps_max = max(_LABEL_MAPS_MIN, 2 * len(self._label_maps))

    def distinct_labels(self) -> list[Mapping[str, str]]:
        """Return each set of labels that any device has had, once."""
        return list(self._label_maps.values())

    def refresh_text(self, slot: int) -> None:
        """Prepare what a bare word of a filter looks through."""
        labels = self.labels[slot]
        label_text = self._label_texts.get(id(labels))
        if label_text is None:
            label_text = " ".join(f"{name}={value}" for name, value in labels.items()).lower()
            if labels is not NO_LABELS:
                self._label_texts[id(labels)] = label_text
        self.texts[slot] = "\n".join(
            (self.ids[slot], label_text, self.versions[slot].lower(), self.reasons[slot].lower())
        )

    def _grow(self) -> int:
        slot = len(self.ids)
        for column in (self.ids, self.versions, self.reasons, self.texts):
            column.append("")
        self.labels.append(NO_LABELS)
        self.desired.append(None)
        self.states.append({})
        for flags in (self.health, self.has_info, self.severity):
            flags.append(0)
        self.seen_s.append(0.0)
        for floats in (self.gap_s, self.rtt_ms):
            floats.append(math.nan)
        for counts in (self.interval_s, self.ok, self.total, self.restarts, self.revision):
            counts.append(0)
        self._reset(slot)
        return slot

    def _reset(self, slot: int) -> None:
        self.ids[slot] = self.versions[slot] = self.reasons[slot] = self.texts[slot] = ""
        self.labels[slot] = NO_LABELS
        self.desired[slot] = None
        self.states[slot] = {}
        self.health[slot] = Health.UNKNOWN
        self.has_info[slot] = self.severity[slot] = 0
        self.seen_s[slot] = 0.0
        self.gap_s[slot] = self.rtt_ms[slot] = math.nan
        self.interval_s[slot] = DEFAULT_HEARTBEAT_INTERVAL_S
        self.ok[slot] = self.total[slot] = self.restarts[slot] = 0
        self.revision[slot] += 1
