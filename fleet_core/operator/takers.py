"""What devices say, taken in at the door: labels, signs of life, states."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from fleet_core.contracts.base import decode
from fleet_core.contracts.buckets import (
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_STATE,
    parse_heartbeat_key,
    parse_info_key,
    parse_state_key,
)
from fleet_core.contracts.devices import DeviceInfo, is_heartbeat_of
from fleet_core.contracts.states import DeploymentState
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fleet_core.operator.fleet import Fleet
    from fleet_core.operator.refusals import Refusals

_log = logging.getLogger(__name__)


class InfoTaker:
    """Takes the labels that devices tell."""

    def __init__(
        self,
        fleet: Fleet,
        refusals: Refusals,
        changed: Callable[[str], None],
        said: Callable[[str, DeviceInfo | None], None],
    ) -> None:
        self._fleet = fleet
        self._refusals = refusals
        self._changed = changed
        self._said = said
        """Called with all that a device says of itself; None once that was deleted."""

    def on_put(self, key: str, value: bytes, _revision: int, _received_at_s: float) -> None:
        """Take a device's labels; malformed ones leave the last good ones in force."""
        try:
            device = parse_info_key(key)
            info = decode(DeviceInfo, value)
            _refuse_foreign(info.device_id, device)
        except InvalidInputError as error:
            self._refusals.note(DEVICE_INFO.name, key, error)
            return
        if self._fleet.set_labels(device, info.labels):
            self._changed(device)
        self._said(device, info)

    def on_delete(self, key: str, _revision: int) -> None:
        """Forget a device's labels: it keeps what it runs, and counts nowhere."""
        try:
            device = parse_info_key(key)
        except InvalidInputError:
            return
        self._fleet.drop_labels(device)
        self._said(device, None)

    def on_vanished(self, key: str) -> None:
        """Forget the labels of a device that nobody deleted: a lost store tells nobody to go."""
        try:
            self._fleet.drop_labels(parse_info_key(key))
        except InvalidInputError:
            return


class HeartbeatTaker:
    """Takes signs of life; their age is told by the server's receive time."""

    def __init__(self, fleet: Fleet, refusals: Refusals) -> None:
        self._fleet = fleet
        self._refusals = refusals
        self.live = False
        """Whether what comes now comes as it happens."""

    def on_put(self, key: str, value: bytes, _revision: int, received_at_s: float) -> None:
        """Take a heartbeat."""
        try:
            device = parse_heartbeat_key(key)
            _refuse_no_heartbeat(value, device)
        except InvalidInputError as error:
            self._refusals.note(DEVICE_HEARTBEAT.name, key, error)
            return
        self._fleet.heard(device, received_at_s, live=self.live)

    def on_delete(self, key: str, _revision: int) -> None:
        """Forget a device's heartbeat."""
        try:
            self._fleet.silence(parse_heartbeat_key(key))
        except InvalidInputError:
            return


class StateTaker:
    """Takes what devices observe of their deployments."""

    def __init__(self, fleet: Fleet, refusals: Refusals) -> None:
        self._fleet = fleet
        self._refusals = refusals

    def on_put(self, key: str, value: bytes, _revision: int, _received_at_s: float) -> None:
        """Take a state; one that speaks for another device or deployment is refused."""
        try:
            device, deployment = parse_state_key(key)
            state = decode(DeploymentState, value)
            _refuse_foreign(state.device_id, device)
            _refuse_foreign(state.deployment, deployment)
        except InvalidInputError as error:
            self._refusals.note(DEVICE_STATE.name, key, error)
            return
        self._fleet.take_state(state)

    def on_delete(self, key: str, _revision: int) -> None:
        """Forget a state."""
        try:
            self._fleet.drop_state(*parse_state_key(key))
        except InvalidInputError:
            return


def _refuse_no_heartbeat(value: bytes, device: str) -> None:
    if not is_heartbeat_of(value, device):
        raise InvalidInputError("no heartbeat of this device", expected="its device_id")


def _refuse_foreign(said: str, expected: str) -> None:
    if said != expected:
        raise InvalidInputError(
            "the payload speaks for somebody else", path="device_id", expected=expected
        )


class Taker(Protocol):
    """Takes the puts and deletions of one bucket."""

    def on_put(self, key: str, value: bytes, revision: int, received_at_s: float, /) -> None:
        """Take a value."""

    def on_delete(self, key: str, revision: int, /) -> None:
        """Take note that a key has no value any more."""


class Synced:
    """Which parts of the picture have been read completely."""

    def __init__(self, parts: Iterable[str], all_synced: Callable[[], None]) -> None:
        self._missing = set(parts)
        self._all_synced = all_synced

    @property
    def complete(self) -> bool:
        """Whether all of them have been."""
        return not self._missing

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts that have not been, by their names."""
        return tuple(sorted(self._missing))

    def note(self, part: str) -> None:
        """A part was read completely."""
        if part in self._missing:
            self._missing.discard(part)
            if not self._missing:
                self._all_synced()

    def note_stale(self, part: str, reason: str) -> None:
        """A part may have changed unseen."""
        if not self._missing:
            _log.warning("nothing is written until %s is read again: %s", part, reason)
        self._missing.add(part)

    def follow(self, part: str, taker: Taker) -> SyncedTaker:
        """Return a feed handler that takes a bucket's changes and notes how complete it is."""
        return SyncedTaker(self, part, taker)


class SyncedTaker:
    """A `FeedHandler` over a `Taker`."""

    def __init__(self, synced: Synced, part: str, taker: Taker) -> None:
        self._synced = synced
        self._part = part
        self._taker = taker
        self.on_put = taker.on_put
        self.on_delete = taker.on_delete
        on_vanished = getattr(taker, "on_vanished", None)
        if on_vanished is not None:
            self.on_vanished = on_vanished

    def on_synced(self) -> None:
        """The bucket was read completely."""
        if isinstance(self._taker, HeartbeatTaker):
            self._taker.live = True
        self._synced.note(self._part)

    def on_stale(self, reason: str) -> None:
        """The bucket may have changed unseen."""
        if isinstance(self._taker, HeartbeatTaker):
            self._taker.live = False
        self._synced.note_stale(self._part, reason)
