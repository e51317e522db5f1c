"""What Deployments want of devices, and which device must run which of them. Pure.

Devices with equal labels are kept together as one kind: a selector is evaluated once for each kind,
so a change of a Deployment costs as much as there are kinds and devices it touches.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.devices import ManifestEntry
from fleet_core.contracts.rollouts import COMMANDS_ANNOTATION, RolloutCommands
from fleet_core.contracts.scores import payload_hash
from fleet_core.errors import InvalidInputError
from fleet_core.operator.selector_index import SelectorIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from fleet_core.contracts.resources import Deployment
    from fleet_core.contracts.rollouts import RolloutCommand
    from fleet_core.contracts.selectors import LabelSelector
    from fleet_core.operator.resource_store import ResourceKey

_log = logging.getLogger(__name__)

LabelKey = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Want:
    """A Deployment as far as devices are concerned."""

    key: ResourceKey
    created_s: float
    """When it was made, Unix seconds: the older one has a name that two claim on a device."""
    selector: LabelSelector
    score: bytes
    """Canonical JSON, as it is written to the devices."""
    entry: ManifestEntry
    resource: Deployment = field(compare=False, repr=False)
    """As it was read."""

    @property
    def name(self) -> str:
        """The deployment's name on the devices."""
        return self.key[1]

    @property
    def rank(self) -> tuple[float, ResourceKey]:
        """Orders the claims on a name; the lowest has it."""
        return self.created_s, self.key

    @classmethod
    def of(cls, resource: Deployment) -> Want:
        """Return what a resource wants."""
        score = encode(resource.spec.score)
        created = resource.metadata.creation_timestamp
        return cls(
            key=resource.key,
            created_s=created.timestamp() if created is not None else 0.0,
            selector=resource.spec.target_selector,
            score=score,
            entry=ManifestEntry(
                generation=resource.metadata.generation, spec_hash=payload_hash(score)
            ),
            resource=resource,
        )


def commands_of(resource: Deployment) -> list[RolloutCommand]:
    """Return what people told the rollout; what cannot be read was told by nobody."""
    text = resource.metadata.annotations.get(COMMANDS_ANNOTATION)
    if text is None:
        return []
    try:
        return decode(RolloutCommands, text.encode()).commands
    except InvalidInputError as error:
        _log.warning("the rollout commands of %s/%s are not read: %s", *resource.key, error)
        return []


@dataclass(slots=True, eq=False)
class Kind:
    """Devices with the same labels, and the Deployments that select them."""

    labels: Mapping[str, str]
    devices: set[str] = field(default_factory=set)
    selected_by: set[ResourceKey] = field(default_factory=set)


class Wants:
    """All Deployments and all devices that have told their labels."""

    def __init__(self) -> None:
        self.by_key: dict[ResourceKey, Want] = {}
        self._kinds: dict[LabelKey, Kind] = {}
        self._kind_of: dict[str, Kind] = {}
        self._index: SelectorIndex[ResourceKey] = SelectorIndex()
        self._names: Counter[str] = Counter()

    def __contains__(self, device: str) -> bool:
        """Tell whether a device's labels are known."""
        return device in self._kind_of

    @property
    def devices(self) -> Iterable[str]:
        """The devices whose labels are known."""
        return self._kind_of.keys()

    def set_want(self, want: Want) -> set[str]:
        """Take a Deployment; returns the devices that it selects now or selected before."""
        touched = set(self.selected(want.key))
        before = self.by_key.get(want.key)
        self.by_key[want.key] = want
        if before is None:
            self._names[want.name] += 1
        if before is None or before.selector != want.selector:
            self._index.put(want.key, want.selector)
            for kind in self._kinds.values():
                if want.selector.matches(kind.labels):
                    kind.selected_by.add(want.key)
                    touched |= kind.devices
                else:
                    kind.selected_by.discard(want.key)
        return touched

    def drop_want(self, key: ResourceKey) -> set[str]:
        """Forget a Deployment; returns the devices that it selected."""
        touched = set(self.selected(key))
        if self.by_key.pop(key, None) is None:
            return touched
        self._index.drop(key)
        self._names[key[1]] -= 1
        if not self._names[key[1]]:
            del self._names[key[1]]
        for kind in self._kinds.values():
            kind.selected_by.discard(key)
        return touched

    def set_labels(self, device: str, labels: Mapping[str, str]) -> bool:
        """Take a device's labels; tells whether they are others than before."""
        label_key = tuple(sorted(labels.items()))
        kind = self._kinds.get(label_key)
        before = self._kind_of.get(device)
        if kind is not None and kind is before:
            return False
        if kind is None:
            kind = self._kinds[label_key] = Kind(dict(label_key))
            kind.selected_by.update(
                key
                for key in self._index.candidates(kind.labels)
                if self.by_key[key].selector.matches(kind.labels)
            )
        self.drop_device(device)
        kind.devices.add(device)
        self._kind_of[device] = kind
        return True

    def drop_device(self, device: str) -> None:
        """Forget a device's labels."""
        kind = self._kind_of.pop(device, None)
        if kind is None:
            return
        kind.devices.discard(device)
        if not kind.devices:
            del self._kinds[tuple(sorted(kind.labels.items()))]

    def selected(self, key: ResourceKey) -> Iterator[str]:
        """Return the devices that a Deployment selects."""
        for kind in self._kinds.values():
            if key in kind.selected_by:
                yield from kind.devices

    def labels_of(self, device: str) -> Mapping[str, str]:
        """Return a device's labels; none where they are not known."""
        kind = self._kind_of.get(device)
        return kind.labels if kind is not None else {}

    def selected_with_labels(self, key: ResourceKey) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Return the devices that a Deployment selects, each with its labels."""
        for kind in self._kinds.values():
            if key in kind.selected_by:
                for device in kind.devices:
                    yield device, kind.labels

    def selecting(self, device: str) -> frozenset[ResourceKey]:
        """Return the Deployments that select a device."""
        kind = self._kind_of.get(device)
        return frozenset(kind.selected_by) if kind is not None else frozenset()

    def of_device(self, device: str) -> dict[str, Want]:
        """Return what a device must run, by name; of several claims on a name the oldest counts."""
        found: dict[str, Want] = {}
        for key in self.selecting(device):
            want = self.by_key[key]
            other = found.get(want.name)
            if other is None or want.rank < other.rank:
                found[want.name] = want
        return dict(sorted(found.items()))

    def claims(self, name: str) -> int:
        """Return how many Deployments have a name, each in a namespace of its own."""
        return self._names[name]

    def names(self) -> AbstractSet[str]:
        """Return the names of all Deployments, whatever their namespace."""
        return self._names.keys()
