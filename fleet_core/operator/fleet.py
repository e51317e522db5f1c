"""The fleet as the operator sees it: wants, labels, signs of life, reports. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.contracts.resources import DeploymentStatus
from fleet_core.operator.aggregation import Aggregation, Standing, Tally, judge, recount
from fleet_core.operator.liveness import Liveness
from fleet_core.operator.wants import Want, Wants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fleet_core.contracts.resources import Aggregate, Deployment
    from fleet_core.contracts.states import DeploymentState
    from fleet_core.operator.aggregation import Report
    from fleet_core.operator.resource_store import ResourceKey


class Fleet:
    """Everything that is decided from, kept up to date change by change."""

    def __init__(self, heartbeat_interval_s: float) -> None:
        self.wants = Wants()
        self.liveness = Liveness(heartbeat_interval_s)
        self.aggregation = Aggregation()
        self.changed: set[ResourceKey] = set()
        """Deployments whose status may be another one now; whoever writes it takes them out."""
        self.gone: set[ResourceKey] = set()
        """Deployments whose status has to go; as above."""
        self._deleted_names: set[str] = set()
        self._observed: dict[ResourceKey, int] = {}

    # Deployments

    def set_resource(self, resource: Deployment) -> set[str]:
        """Take a Deployment; returns the devices that may have to run something else."""
        key = resource.key
        touched = self.wants.set_want(Want.of(resource))
        self.gone.discard(key)
        self._deleted_names.discard(key[1])
        self.aggregation.tallies.setdefault(key, Tally())
        self._recount_all_named(key[1])
        return touched

    def delete_resource(self, key: ResourceKey) -> set[str]:
        """Forget a Deployment; returns the devices that may have to run something else."""
        touched = self.wants.drop_want(key)
        if key[1] not in self.wants.names():
            self._deleted_names.add(key[1])
        self.aggregation.tallies.pop(key, None)
        self._observed.pop(key, None)
        self.changed.discard(key)
        self.gone.add(key)
        self._recount_all_named(key[1])
        return touched

    def wanted_of(self, device: str) -> Mapping[str, Want] | None:
        """Return what a device must run; None where its labels are not known."""
        return self.wants.of_device(device) if device in self.wants else None

    def may_go(self, name: str) -> bool:
        """Tell whether a deployment that a device should not run may be taken from it.

        It was deleted, or it stands. What is merely missing is no order to stop anything.
        """
        return name in self._deleted_names or name in self.wants.names()

    def settled(self) -> None:
        """Take note that everything wanted has been written."""
        for key, want in self.wants.by_key.items():
            if self._observed.get(key) != want.entry.generation:
                self._observed[key] = want.entry.generation
                self.changed.add(key)

    # Devices

    def set_labels(self, device: str, labels: Mapping[str, str]) -> bool:
        """Take a device's labels; tells whether they are others than before."""
        before = self.wants.selecting(device)
        if not self.wants.set_labels(device, labels):
            return False
        self._judge_device(device, before)
        return True

    def drop_labels(self, device: str) -> None:
        """Forget a device's labels."""
        before = self.wants.selecting(device)
        self.wants.drop_device(device)
        self._judge_device(device, before)

    def heard(self, device: str, received_at_s: float, *, live: bool) -> None:
        """Take a sign of life."""
        if self.liveness.heard(device, received_at_s, live=live):
            self._judge_device(device)

    def silence(self, device: str) -> None:
        """Forget a device's signs of life."""
        if self.liveness.forget(device):
            self._judge_device(device)

    def tick(self, now_s: float) -> None:
        """Let time pass: devices that were silent for too long go offline."""
        for device in self.liveness.tick(now_s):
            self._judge_device(device)

    def take_state(self, state: DeploymentState) -> None:
        """Take what a device observes of a deployment."""
        if self.aggregation.take(state):
            self._judge_deployment(state.device_id, state.deployment)

    def drop_state(self, device: str, deployment: str) -> None:
        """Forget what a device observed."""
        self.aggregation.drop_state(device, deployment)
        self._judge_deployment(device, deployment)

    # Status

    def status(self, key: ResourceKey) -> DeploymentStatus:
        """Return a Deployment's status as it should be stored."""
        return DeploymentStatus(
            aggregate=self.aggregation.tallies[key].aggregate(),
            observed_generation=self._observed.get(key, 0),
        )

    def recounted(self, key: ResourceKey) -> Aggregate:
        """Count a Deployment's devices from nothing: what `status` must come to."""
        return recount(
            (device, *self._standing(device, key)) for device in self.wants.selected(key)
        )

    def _standing(self, device: str, key: ResourceKey) -> tuple[Standing, Report | None]:
        want = self.wants.by_key[key]
        report = self.aggregation.report(device, want.name)
        if self.wants.of_device(device)[want.name] is not want:
            # An older Deployment has the name on this device: what it says is not about this one.
            report = None
        online = self.liveness.is_online(device)
        return judge(report, want.entry.spec_hash, online=online), report

    def _recount_all_named(self, name: str) -> None:
        """Count anew all Deployments that may claim a name: which of them has it may change."""
        for key in self.wants.by_key:
            if key[1] == name:
                self._recount(key)
                self.changed.add(key)

    def _recount(self, key: ResourceKey) -> None:
        tally = self.aggregation.tallies[key]
        selected = set(self.wants.selected(key))
        for device in tally.standings.keys() - selected:
            tally.drop(device)
        for device in selected:
            tally.set(device, *self._standing(device, key))

    def _judge_device(self, device: str, before: Iterable[ResourceKey] = ()) -> None:
        now = self.wants.selecting(device)
        for key in before:
            if key not in now and self.aggregation.tallies[key].drop(device):
                self.changed.add(key)
        self._judge(device, now)

    def _judge_deployment(self, device: str, name: str) -> None:
        keys = [key for key in self.wants.selecting(device) if key[1] == name]
        self._judge(device, keys)

    def _judge(self, device: str, keys: Iterable[ResourceKey]) -> None:
        for key in keys:
            if self.aggregation.tallies[key].set(device, *self._standing(device, key)):
                self.changed.add(key)
