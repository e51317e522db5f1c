"""Which batch a device belongs to, and whether a rollout has told it to update. Pure.

A device's place among the others is a hash of its name and the Deployment's, so the same devices
are a Deployment's canaries each time, and a single place says who has been told (`Released`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.rollouts import REST, Batch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fleet_core.contracts.rollouts import Released, Rollout
    from fleet_core.operator.resource_store import ResourceKey

LAST_PLACE: Final = "f" * 16
"""No device comes after it."""


def place_of(key: ResourceKey, device: str) -> str:
    """Return a device's place: 16 hex digits, ordered as text."""
    name = f"{key[0]}/{key[1]}/{device}".encode()
    return hashlib.blake2b(name, digest_size=8).hexdigest()


def all_batches(rollout: Rollout) -> list[Batch]:
    """Return the batches, the last of which takes every device that is left."""
    last = rollout.batches[-1] if rollout.batches else None
    if last is not None and last.selector is None and last.count is None:
        return list(rollout.batches)
    return [*rollout.batches, Batch(name=REST)]


def same_batches(one: Sequence[Batch], other: Sequence[Batch]) -> bool:
    """Tell whether the same devices belong to the same batches; thresholds may differ."""
    return [(batch.name, batch.selector, batch.count) for batch in one] == [
        (batch.name, batch.selector, batch.count) for batch in other
    ]


def takes(batch: Batch, labels: Mapping[str, str]) -> bool:
    """Tell whether a batch's selector takes a device with these labels."""
    return batch.selector is None or batch.selector.matches(labels)


def batch_of(released: Released, labels: Mapping[str, str], place: str) -> int:
    """Return the index of a device's batch, as far as batches were drawn up.

    A device that belongs to none of them is told as belonging to the number of batches.
    """
    for index, batch in enumerate(released.batches):
        cut = released.cuts[index] if index < len(released.cuts) else LAST_PLACE
        belongs = batch.count is None or place <= cut
        if belongs and takes(batch, labels):
            return index
    return len(released.batches)


def was_told(released: Released, device: str, labels: Mapping[str, str], place: str) -> bool:
    """Tell whether a rollout has told a device to update."""
    return is_told(released, batch_of(released, labels, place), device, place)


def is_told(released: Released, index: int, device: str, place: str) -> bool:
    """Tell the same of a device whose batch is known by its index."""
    if index != released.batch:
        return index < released.batch
    return place <= released.cut and device not in released.held
