"""The fleet as the operator sees it: wants, labels, signs of life, reports. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.contracts.resources import Aggregate, DeploymentStatus
from fleet_core.contracts.rollouts import RolloutPhase
from fleet_core.operator.aggregation import Aggregation, Standing, Tally, judge, recount
from fleet_core.operator.conditions import Facts, conditions
from fleet_core.operator.liveness import Liveness
from fleet_core.operator.rollouts.book import RolloutBook
from fleet_core.operator.rollouts.membership import place_of
from fleet_core.operator.rollouts.observed import Observed
from fleet_core.operator.wants import Want, Wants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from fleet_core.contracts.resources import Deployment
    from fleet_core.contracts.rollouts import RolloutStatus
    from fleet_core.contracts.states import DeploymentState
    from fleet_core.operator.aggregation import Report
    from fleet_core.operator.resource_store import ResourceKey
    from fleet_core.operator.versions import Version

    ToldAt = Callable[[str, str, str], float | None]


class Fleet:
    """Everything that is decided from, kept up to date change by change."""

    def __init__(self, heartbeat_interval_s: float) -> None:
        self.wants = Wants()
        self.rollouts = RolloutBook()
        self.liveness = Liveness(heartbeat_interval_s)
        self.aggregation = Aggregation()
        self.changed: set[ResourceKey] = set()
        """Deployments whose status may be another one now; whoever writes it takes them out."""
        self.gone: set[ResourceKey] = set()
        """Deployments whose status has to go; as above."""
        self._deleted_names: set[str] = set()
        self._observed: dict[ResourceKey, int] = {}
        self._stored: dict[ResourceKey, DeploymentStatus] = {}
        self._told_labels: dict[str, Mapping[str, str]] = {}
        self._given_labels: dict[str, Mapping[str, str]] = {}
        self._refused: dict[ResourceKey, tuple[int, str]] = {}
        self._came_or_went: set[str] = set()

    # Deployments

    def set_resource(self, resource: Deployment) -> set[str]:
        """Take a Deployment; returns the devices that may have to run something else."""
        key = resource.key
        touched = self.wants.set_want(Want.of(resource))
        self.gone.discard(key)
        self._refused.pop(key, None)
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
        self.rollouts.drop(key)
        for known in (self._observed, self._stored, self._refused):
            known.pop(key, None)
        self.changed.discard(key)
        self.gone.add(key)
        self._recount_all_named(key[1])
        return touched

    def refuse(self, key: ResourceKey, generation: int, message: str) -> None:
        """Take note that a Deployment, as it stands, cannot be read: the last good one counts."""
        self._refused[key] = generation, message
        self.changed.add(key)

    def take_up(self, key: ResourceKey, now: datetime) -> None:
        """Begin what a Deployment asks for, once everything stored about it is known."""
        self.rollouts.take_up(self.wants.by_key[key], now)
        self.changed.add(key)

    def take_status(self, key: ResourceKey, status: DeploymentStatus) -> set[str]:
        """Take a status that is stored; returns the devices that are to run something else."""
        self._stored[key] = status
        self._observed[key] = status.observed_generation
        self.changed.add(key)
        return self._commit(key, status.rollout)

    def written(
        self, key: ResourceKey, status: DeploymentStatus, decided_from: RolloutStatus | None
    ) -> set[str]:
        """Take a status that we stored; returns the devices that are to run something else.

        ``decided_from`` is how far the rollout was when it was decided: where it is another one by
        now, what was stored is superseded already.
        """
        self._stored[key] = status
        if self.rollouts.statuses.get(key) is not decided_from:
            self.changed.add(key)
            return set()
        return self._commit(key, status.rollout)

    def _commit(self, key: ResourceKey, rollout: RolloutStatus | None) -> set[str]:
        want = self.wants.by_key.get(key)
        measured_by = self._spec_hash(want) if want is not None else ""
        touched = self.rollouts.commit(key, rollout, self._labelled(key))
        if want is not None and self._spec_hash(want) != measured_by:
            self._recount(key)
            self.changed.add(key)
        return touched

    def _spec_hash(self, want: Want) -> str:
        """Return the version that devices are measured by: the spec's, until it was reverted."""
        rollout, spec_hash = self.rollouts.statuses.get(want.key), want.entry.spec_hash
        is_reverted = rollout is not None and rollout.phase is RolloutPhase.REVERTED
        if rollout is None or not is_reverted or rollout.update.spec_hash != spec_hash:
            return spec_hash
        return rollout.stable.spec_hash if rollout.stable is not None else spec_hash

    def stored_status(self, key: ResourceKey) -> DeploymentStatus | None:
        """Return the status that is stored, as far as we know."""
        return self._stored.get(key)

    def is_known(self, key: ResourceKey) -> bool:
        """Tell whether a Deployment stands, in whatever shape."""
        return key in self.wants.by_key or key in self._refused

    def wanted_of(self, device: str) -> Mapping[str, Version | None] | None:
        """Return what a device must run, by name; None where its labels are not known.

        Without a version, a device keeps what it has of the name.
        """
        if device not in self.wants:
            return None
        labels = self.wants.labels_of(device)
        return {
            name: self.rollouts.version(want, device, labels)
            for name, want in self.wants.of_device(device).items()
        }

    def may_go(self, name: str) -> bool:
        """Tell whether a deployment that a device should not run may be taken from it.

        It was deleted, or it stands. What is merely missing is no order to stop anything.
        """
        return name in self._deleted_names or name in self.wants.names()

    def collect(self, deleted: AbstractSet[str]) -> None:
        """Take deployments as deleted that were so while nobody looked."""
        self._deleted_names |= deleted

    def settled(self) -> None:
        """Take note that everything wanted has been written."""
        for key, want in self.wants.by_key.items():
            generation = want.resource.metadata.generation
            if self._observed.get(key) != generation:
                self._observed[key] = generation
                self.changed.add(key)

    # Devices

    def set_labels(self, device: str, labels: Mapping[str, str]) -> bool:
        """Take the labels that a device tells; says whether it has others than before."""
        self._told_labels[device] = labels
        before = self.wants.selecting(device)
        given = self._given_labels.get(device)
        if not self.wants.set_labels(device, {**labels, **given} if given else labels):
            return False
        self._judge_device(device, before)
        return True

    def set_given_labels(self, device: str, labels: Mapping[str, str]) -> bool:
        """Take the labels that an administrator gave a device: they win over what it tells."""
        if labels:
            self._given_labels[device] = labels
        elif self._given_labels.pop(device, None) is None:
            return False
        told = self._told_labels.get(device)
        return told is not None and self.set_labels(device, told)

    def drop_labels(self, device: str) -> None:
        """Forget a device's labels."""
        self._told_labels.pop(device, None)
        before = self.wants.selecting(device)
        self.wants.drop_device(device)
        self._judge_device(device, before)

    def heard(self, device: str, received_at_s: float, *, live: bool) -> None:
        """Take a sign of life."""
        if self.liveness.heard(device, received_at_s, live=live):
            self._came_or_went.add(device)
            self._judge_device(device)

    def silence(self, device: str) -> None:
        """Forget a device's signs of life."""
        if self.liveness.forget(device):
            self._came_or_went.add(device)
            self._judge_device(device)

    def tick(self, now_s: float) -> None:
        """Let time pass: devices that were silent for too long go offline."""
        for device in self.liveness.tick(now_s):
            self._came_or_went.add(device)
            self._judge_device(device)

    def take_presence_changes(self) -> set[str]:
        """Return the devices that came or went since this was asked last."""
        taken, self._came_or_went = self._came_or_went, set()
        return taken

    def take_state(self, state: DeploymentState) -> None:
        """Take what a device observes of a deployment."""
        if self.aggregation.take(state):
            self._judge_deployment(state.device_id, state.deployment)

    def drop_state(self, device: str, deployment: str) -> None:
        """Forget what a device observed."""
        self.aggregation.drop_state(device, deployment)
        self._judge_deployment(device, deployment)

    # Status

    def status(self, key: ResourceKey, now: datetime, told_at: ToldAt) -> DeploymentStatus:
        """Return a Deployment's status as it should be stored.

        ``told_at`` says when a version was stored for a device, under which name.
        """
        tally = self.aggregation.tallies.get(key)
        aggregate = tally.aggregate() if tally is not None else Aggregate()
        rollout = self._proposed(key, now, told_at)
        generation, refused = self._refused.get(key, (self._observed.get(key, 0), ""))
        before = self._stored.get(key)
        facts = Facts(aggregate, generation, rollout, refused, self._disputed_with(key))
        return DeploymentStatus(
            aggregate=aggregate,
            observed_generation=generation,
            conditions=conditions(facts, before.conditions if before is not None else (), now),
            rollout=rollout,
        )

    def pass_time(self) -> None:
        """Have all statuses written anew in which time plays a part."""
        self.changed.update(key for key in self.wants.by_key if self.rollouts.is_under_way(key))

    def _proposed(self, key: ResourceKey, now: datetime, told_at: ToldAt) -> RolloutStatus | None:
        if not self.rollouts.needs_devices(key):
            return self.rollouts.propose(key, (), now)
        want, standings = self.wants.by_key[key], self.aggregation.tallies[key].standings
        devices = [
            Observed(
                device=device,
                place=place_of(key, device),
                labels=labels,
                standing=standings[device],
                told_s=told_at(device, want.name, want.entry.spec_hash),
                online_since_s=self.liveness.online_since_s(device),
            )
            for device, labels in self._labelled(key)
        ]
        devices.sort(key=lambda device: device.place)
        return self.rollouts.propose(key, devices, now)

    def _labelled(self, key: ResourceKey) -> Iterable[tuple[str, Mapping[str, str]]]:
        return self.wants.selected_with_labels(key)

    def _disputed_with(self, key: ResourceKey) -> str:
        """Return an older Deployment that has the name on a device that this one selects."""
        if self.wants.claims(key[1]) <= 1 or key not in self.wants.by_key:
            return ""
        for device in self.wants.selected(key):
            holder = self.wants.of_device(device)[key[1]]
            if holder.key != key:
                return "/".join(holder.key)
        return ""

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
        return judge(report, self._spec_hash(want), online=online), report

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
