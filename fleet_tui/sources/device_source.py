"""The table of all devices: a window on the view's columns, 100,000 rows of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from fleet_core.view import Health, complete
from fleet_tui.sources.live_source import LiveSource
from fleet_tui.table import Column, Sort, age_text
from fleet_tui.table.ages import UNKNOWN
from fleet_tui.themes import Glyphs

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from fleet_core.view import Filter, FleetView
    from fleet_tui.table.source import Cell

_GLYPHS: Final = {
    Health.ONLINE: Glyphs.ONLINE,
    Health.STALE: Glyphs.STALE,
    Health.OFFLINE: Glyphs.OFFLINE,
    Health.UNKNOWN: Glyphs.UNKNOWN,
}
_STATE_CELLS: Final[dict[int, Cell]] = {
    health.value: (f"{glyph.value} {health.word}", health.word) for health, glyph in _GLYPHS.items()
}
_REASON_STYLES: Final = ("dim", "warning", "failed")
"""By severity."""
_DASH: Final[Cell] = (UNKNOWN, "dim")
_TIMED_FIELDS: Final = ("age", "status", "seen")
_SORTABLE: Final = (
    "device",
    "state",
    "site",
    "agent",
    "deploy",
    "reason",
    "restarts",
    "seen",
    "rtt",
)


class DeviceSource(LiveSource):
    """Devices; a row is the device's slot."""

    def __init__(
        self,
        view: FleetView,
        *,
        clock: Callable[[], float],
        label: str = "site",
        sort: Sort | None = None,
    ) -> None:
        super().__init__(view, sort=sort or Sort("device"), clock=clock)
        self._label = label
        self._columns = (
            Column("device", "DEVICE", 16, flex=2, max_width=40),
            Column("state", "STATE", 9),
            Column(label, label.upper(), 6, flex=1, max_width=14),
            Column("labels", "LABELS", 8, flex=2, max_width=44),
            Column("agent", "AGENT", 7),
            Column("deploy", "DEPLOY", 6, align="right"),
            Column("reason", "REASON", 16, flex=4, max_width=80),
            Column("restarts", "RST", 4, align="right"),
            Column("seen", "SEEN", 5, align="right"),
            Column("rtt", "RTT", 8, align="right"),
        )
        self._label_texts: dict[int, tuple[object, str]] = {}

    @property
    def columns(self) -> Sequence[Column]:
        """The columns."""
        return self._columns

    @property
    def sortable(self) -> Sequence[str]:
        """The columns that devices can be sorted by."""
        return _SORTABLE if self._label == "site" else (*_SORTABLE, self._label)

    @property
    def total(self) -> int:
        """How many devices there are."""
        return len(self.view.devices)

    def key(self, row: int, /) -> str:
        """Return the device's id."""
        return self.view.devices.ids[row]

    def row(self, key: str, /) -> int | None:
        """Return the device's slot."""
        return self.view.devices.slot_of.get(key)

    def cells(self, row: int, /) -> Sequence[Cell]:
        """Return the cells of a device."""
        devices = self.view.devices
        labels = devices.labels[row]
        severity = devices.severity[row]
        total = devices.total[row]
        ok = devices.ok[row]
        reachable = devices.health[row] <= Health.STALE
        restarts = devices.restarts[row]
        rtt_ms = devices.rtt_ms[row]
        return (
            (devices.ids[row], "strong" if severity > 1 else "text"),
            _STATE_CELLS[devices.health[row]],
            (labels.get(self._label, UNKNOWN), "text"),
            (self._other_labels(row), "dim"),
            (devices.versions[row] or UNKNOWN, "text"),
            (
                f"{ok if reachable else '?'}/{total}" if total else UNKNOWN,
                "dim" if not total or not reachable else "ok" if ok == total else "warning",
            ),
            (devices.reasons[row], _REASON_STYLES[severity]),
            (str(restarts), "warning") if restarts else ("", "dim"),
            (self._age(row), "dim"),
            _DASH if math.isnan(rtt_ms) else (rtt_text(rtt_ms), "accent"),
        )

    def fingerprint(self, row: int, /) -> Hashable:
        """Return what differs whenever the cells do."""
        devices = self.view.devices
        return (devices.revision[row], devices.health[row], self._age(row))

    def state_of_view(self) -> Hashable:
        """Return what differs whenever other devices could match, or in another order."""
        view = self.view
        if self.filter or self.faults_only or self._is_live_sort:
            timed = int(self.clock()) if self._depends_on_time else 0
            return (view.membership, view.changes, timed)
        return view.membership

    def look(self, parsed: Filter) -> list[int]:
        """Return the slots that match, sorted."""
        devices = self.view.devices
        slots = parsed.select(devices, self.view.now_s)
        if self.faults_only:
            slots = [s for s in slots if devices.severity[s] > 1 or devices.health[s]]
        slots.sort(key=devices.ids.__getitem__)
        sort = self.sort
        if sort is None or sort == Sort("device"):
            return slots
        if sort.column == "device":
            slots.reverse()
            return slots
        slots.sort(key=self._sort_key(sort.column), reverse=sort.descending)
        return slots

    def completions(self, text: str) -> Sequence[str]:
        """Return what the last word of a filter could become."""
        return complete(text, self.view.devices)

    @property
    def _is_live_sort(self) -> bool:
        return self.sort is not None and self.sort.column not in {"device", self._label}

    @property
    def _depends_on_time(self) -> bool:
        return any(field in self.filter for field in _TIMED_FIELDS) or (
            self.sort is not None and self.sort.column in {"seen", "state"}
        )

    def _sort_key(self, column: str) -> Callable[[int], Any]:
        devices = self.view.devices
        if column == "rtt":
            # What was never pinged comes last, not anywhere: NaN has no order.
            return lambda slot: (
                math.inf if math.isnan(devices.rtt_ms[slot]) else devices.rtt_ms[slot]
            )
        if column == "reason":
            return lambda slot: (-devices.severity[slot], devices.reasons[slot])
        if column == "deploy":
            return lambda slot: devices.total[slot] - devices.ok[slot]
        if column == "seen":
            # Ascending by age: the youngest evidence first.
            return lambda slot: -devices.seen_s[slot]
        live: dict[str, Any] = {
            "state": devices.health,
            "agent": devices.versions,
            "restarts": devices.restarts,
        }
        found = live.get(column)
        if found is not None:
            return found.__getitem__  # type: ignore[no-any-return]  # a column of any kind
        return lambda slot: devices.labels[slot].get(column, "")

    def _other_labels(self, row: int) -> str:
        labels = self.view.devices.labels[row]
        known = self._label_texts.get(id(labels))
        if known is not None and known[0] is labels:
            return known[1]
        if len(self._label_texts) > 10_000:  # noqa: PLR2004 -- far more kinds than a screen shows
            self._label_texts.clear()
        text = " ".join(f"{k}={v}" for k, v in sorted(labels.items()) if k != self._label)
        self._label_texts[id(labels)] = (labels, text)
        return text

    def _age(self, row: int) -> str:
        seen_s = self.view.devices.seen_s[row]
        return age_text(max(0.0, self.view.now_s - seen_s) if seen_s else None)


def rtt_text(rtt_ms: float) -> str:
    """Return a round trip in few characters: ``0.4 ms``, ``12 ms``, ``1.2 s``."""
    if rtt_ms < 10:  # noqa: PLR2004 -- one digit
        return f"{rtt_ms:.1f} ms"
    return f"{rtt_ms:.0f} ms" if rtt_ms < 1_000 else f"{rtt_ms / 1_000:.1f} s"  # noqa: PLR2004
