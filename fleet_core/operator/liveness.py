"""Which devices are too long silent for their word to count. Pure: time is told.

A device is offline `OFFLINE_AFTER` heartbeat intervals after the server received its last
heartbeat, as everywhere in the fleet; one that was never heard of is offline too.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from fleet_core.view.health import OFFLINE_AFTER

if TYPE_CHECKING:
    from collections.abc import Mapping

_SKEW_IGNORED_S: Final = 5.0
"""Clocks that differ by less are taken as equal: the link has a delay too."""


class Liveness:
    """The last heartbeat of each device, and who is offline because of it."""

    def __init__(self, interval_s: float) -> None:
        self._silence_s = OFFLINE_AFTER * interval_s
        self._seen_s: dict[str, float] = {}
        self._online: dict[str, float] = {}
        """Since when, Unix seconds."""
        self._due: list[tuple[float, str]] = []
        """When to look at a device again; at most one entry for each."""
        self._queued: set[str] = set()
        self._newest_live_s = 0.0
        self._skew_s = 0.0
        self._now_s = 0.0

    @property
    def seen_s(self) -> Mapping[str, float]:
        """When the server received each device's last heartbeat, Unix seconds."""
        return self._seen_s

    def is_online(self, device: str) -> bool:
        """Tell whether a device's word counts."""
        return device in self._online

    def online_since_s(self, device: str) -> float:
        """Return since when a device can be reached, Unix seconds; 0 where it cannot."""
        return self._online.get(device, 0.0)

    def heard(self, device: str, received_at_s: float, *, live: bool) -> bool:
        """Take a heartbeat; tells whether the device is online by it and was not before.

        ``live`` means that it came as it happened, and not with a snapshot of what is stored.
        """
        self._seen_s[device] = received_at_s
        if live and received_at_s > self._newest_live_s:
            self._newest_live_s = received_at_s
        if device in self._online or received_at_s + self._silence_s <= self._now_s:
            return False
        self._online[device] = received_at_s
        self._look_again(device, received_at_s + self._silence_s)
        return True

    def forget(self, device: str) -> bool:
        """Forget a device's heartbeat; tells whether it was online."""
        self._seen_s.pop(device, None)
        was_online = device in self._online
        self._online.pop(device, None)
        return was_online

    def tick(self, now_s: float) -> list[str]:
        """Let time pass to ``now_s`` (this machine's); returns who has gone offline.

        Ages are taken against the server's clock: where this machine's is wrong by more than a few
        seconds, the newest live heartbeat tells by how much.
        """
        if self._newest_live_s:
            skew_s = self._newest_live_s - now_s
            self._skew_s = skew_s if abs(skew_s) > _SKEW_IGNORED_S else 0.0
            self._newest_live_s = 0.0
        self._now_s = now_s + self._skew_s
        gone = []
        while self._due and self._due[0][0] <= self._now_s:
            _, device = heapq.heappop(self._due)
            self._queued.discard(device)
            if device not in self._online:
                continue
            due_s = self._seen_s[device] + self._silence_s
            if due_s > self._now_s:
                self._look_again(device, due_s)
            else:
                self._online.pop(device, None)
                gone.append(device)
        return gone

    def _look_again(self, device: str, at_s: float) -> None:
        if device not in self._queued:
            self._queued.add(device)
            heapq.heappush(self._due, (at_s, device))
