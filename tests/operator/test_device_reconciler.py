"""At which rate Device resources are written, and what comes first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from fleet_core.operator.kubernetes.device_reconciler import (
    REFRESHES_PER_S,
    WRITES_PER_S,
    DeviceReconciler,
)
from fleet_core.operator.kubernetes.devices import REFRESH_EVERY_S
from fleet_core.operator.resource_store import Presence
from tests.operator.test_device_book import NOW_S, as_applied, info

if TYPE_CHECKING:
    from fleet_core.operator.resource_store import ResourceHandler

STEPS_PER_S = 5


@dataclass
class Signs:
    """What an operator knows of devices' signs of life."""

    heard_at_s: dict[str, float] = field(default_factory=dict)

    def presence(self, device: str) -> Presence:
        return Presence(online=False, heard_at_s=self.heard_at_s.get(device))


def reconciler_with(names: list[str], *, shown: bool) -> DeviceReconciler:
    nobody: Any = _Nobody()  # Nothing is asked of the cluster or of NATS here.
    reconciler = DeviceReconciler(nobody, nobody, nobody)
    for name in names:
        reconciler.book.say(name, info(name))
        if shown:
            item = as_applied(reconciler.book, info(name))
            item["status"] = {
                "conditions": [{"type": "Online", "status": "False"}],
                "lastHeartbeat": "2027-01-15T08:00:00Z",
            }
            reconciler.book.show(name, item)
    return reconciler


class _Nobody:
    """A cluster, a connection and a clock of which nothing is asked."""


def next_of(reconciler: DeviceReconciler, signs: Signs) -> list[str]:
    return reconciler._next(WRITES_PER_S // STEPS_PER_S, cast("ResourceHandler", signs))


def test_new_devices_are_written_in_their_order_and_no_faster_than_said() -> None:
    names = [f"d{number:03}" for number in range(100)]
    reconciler = reconciler_with(names, shown=False)
    steps = [next_of(reconciler, Signs()) for _ in range(12)]
    assert [len(step) for step in steps] == [10] * 10 + [0, 0]
    assert [device for step in steps for device in step] == names


def test_old_heartbeats_come_last_and_are_few() -> None:
    names = [f"d{number:03}" for number in range(50)]
    reconciler = reconciler_with(names, shown=True)
    signs = Signs(dict.fromkeys(names, NOW_S + REFRESH_EVERY_S))
    reconciler.book.due.clear()
    step = next_of(reconciler, signs)
    assert len(step) == max(1, REFRESHES_PER_S // STEPS_PER_S)
    # Whoever is new goes before them.
    for number in range(20):
        reconciler.book.say(f"new-{number:02}", info(f"new-{number:02}"))
    assert next_of(reconciler, signs) == [f"new-{number:02}" for number in range(10)]


def test_what_is_shown_as_it_should_be_costs_no_write() -> None:
    names = [f"d{number:03}" for number in range(50)]
    reconciler = reconciler_with(names, shown=True)
    signs = Signs(dict.fromkeys(names, NOW_S))
    assert next_of(reconciler, signs) == []
    assert not reconciler.book.due
