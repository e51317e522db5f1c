"""A fleet in memory that a rollout passes over: devices do as they are told, each in its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.rollouts import (
    BatchPhase,
    RevisionRef,
    Rollout,
    RolloutCommand,
    RolloutPhase,
    RolloutStatus,
    RolloutVerb,
)
from fleet_core.operator.aggregation import Standing
from fleet_core.operator.rollouts.assignment import version_of
from fleet_core.operator.rollouts.engine import Order, step
from fleet_core.operator.rollouts.membership import place_of
from fleet_core.operator.rollouts.observed import Observed

KEY = ("default", "web")
START = datetime(2026, 1, 1, tzinfo=UTC)
V1, V2, V3 = (RevisionRef(number=n, spec_hash=f"{n:016x}") for n in (1, 2, 3))


def staged(*batches: dict[str, Any], **more: Any) -> Rollout:
    """A staged rollout, of which nothing is held back unless the test says so."""
    return Rollout.model_validate(
        {"strategy": "Staged", "batches": list(batches), "maxUnavailable": "100%", **more},
        strict=False,
    )


def completed(revision: RevisionRef) -> RolloutStatus:
    """The status of a fleet that has a version everywhere."""
    return RolloutStatus(update=revision, stable=revision)


@dataclass
class Machine:
    """A device of the fleet."""

    labels: dict[str, str]
    takes_s: float = 10.0
    """From being told until it runs a version."""
    fails: frozenset[str] = frozenset()
    """Hashes of versions that fail on it."""
    offline: bool = False
    told: dict[str, datetime] = field(default_factory=dict)
    has: str | None = None
    since: datetime = START
    online_since: datetime = START


class RolloutFleet:
    """Time passes second by second; the status is stored, and read again, at every step."""

    def __init__(self, count: int, rollout: Rollout, status: RolloutStatus | None = None) -> None:
        self.machines = {
            f"d{number:03}": Machine({"site": f"s{number % 5}", "ring": str(number % 3)})
            for number in range(count)
        }
        self.order = Order(rollout, V2)
        self.status = completed(V1) if status is None else status
        self.now = START
        self.history: list[RolloutStatus] = []
        self._commands = 0
        self.tell_devices()

    def command(self, verb: RolloutVerb) -> None:
        """Somebody tells the rollout something."""
        self._commands += 1
        told = RolloutCommand(
            id=f"c{self._commands}", verb=verb, spec_hash=self.order.update.spec_hash
        )
        self.order = Order(self.order.rollout, self.order.update, [*self.order.commands, told])

    def apply(self, update: RevisionRef, rollout: Rollout | None = None) -> None:
        """Somebody applies another version, or other batches."""
        self.order = Order(rollout or self.order.rollout, update, self.order.commands)

    def observed(self) -> list[Observed]:
        """What the operator sees of the devices."""
        found = [self._observed(device, machine) for device, machine in self.machines.items()]
        return sorted(found, key=lambda device: device.place)

    def _observed(self, device: str, machine: Machine) -> Observed:
        update = self.order.update.spec_hash
        standing = Standing.PENDING
        if machine.offline:
            standing = Standing.OFFLINE
        elif machine.has == update and self.now >= machine.since + timedelta(
            seconds=machine.takes_s
        ):
            standing = Standing.FAILED if update in machine.fails else Standing.SUCCEEDED
        told = machine.told.get(update)
        return Observed(
            device=device,
            place=place_of(KEY, device),
            labels=machine.labels,
            standing=standing,
            told_s=told.timestamp() if told is not None else None,
            online_since_s=machine.online_since.timestamp(),
        )

    def step(self) -> RolloutStatus:
        """One look of the operator: decided, stored, and only then acted on."""
        decided = step(self.status, self.order, self.observed(), self.now)
        self.status = decode(RolloutStatus, encode(decided))
        assert self.status == decided
        self.history.append(self.status)
        self.tell_devices()
        return self.status

    def tell_devices(self) -> None:
        """Write the devices' desired state, and have those that hear of it do it."""
        for device, machine in self.machines.items():
            version = version_of(self.status, device, machine.labels, place_of(KEY, device))
            if version is None:
                continue
            if version.spec_hash not in machine.told:
                machine.told = {version.spec_hash: self.now}
            if not machine.offline and machine.has != version.spec_hash:
                machine.has, machine.since = version.spec_hash, self.now

    def pass_s(self, seconds: float, every_s: float = 1.0) -> RolloutStatus:
        """Let time pass."""
        for _ in range(int(seconds / every_s)):
            self.now += timedelta(seconds=every_s)
            self.step()
        return self.status

    def until(self, *phases: RolloutPhase, timeout_s: int = 10_000) -> RolloutStatus:
        """Let time pass until the rollout is in one of the phases."""
        deadline = self.now + timedelta(seconds=timeout_s)
        while self.step().phase not in phases:
            assert self.now < deadline, self.status
            self.now += timedelta(seconds=1)
        return self.status

    def having(self, revision: RevisionRef) -> set[str]:
        """The devices that were told of a version last."""
        return {
            device
            for device, machine in self.machines.items()
            if revision.spec_hash in machine.told
        }

    def phases(self) -> list[BatchPhase]:
        """The phases of the batches."""
        return [batch.phase for batch in self.status.batches]

    def unavailable(self) -> set[str]:
        """The devices in reach that were told of the update and do not run it."""
        return {
            device.device
            for device in self.observed()
            if device.device in self.having(self.order.update)
            and device.standing in (Standing.PENDING, Standing.FAILED)
        }
