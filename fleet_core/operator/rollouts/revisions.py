"""The versions of a Deployment that are known: their numbers, and which of them to keep. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.contracts.base import encode
from fleet_core.contracts.devices import ManifestEntry
from fleet_core.contracts.rollouts import REVISION_HISTORY_LIMIT, Revision, RevisionRef
from fleet_core.operator.versions import Version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fleet_core.contracts.resources import Deployment
    from fleet_core.contracts.rollouts import RolloutStatus


class Revisions:
    """What is known of a Deployment's versions, by the hash of their score."""

    def __init__(self) -> None:
        self._known: dict[str, Revision] = {}
        self._versions: dict[str, Version] = {}
        self.unwritten: set[str] = set()
        """Hashes of versions that still have to be stored."""

    def take(self, revision: Revision) -> None:
        """Take a version that is stored, unless a newer number of it is known."""
        known = self._known.get(revision.spec_hash)
        if known is None or known.number < revision.number:
            self._put(revision)
            self.unwritten.discard(revision.spec_hash)

    def take_up(self, resource: Deployment, spec_hash: str, now: datetime) -> RevisionRef:
        """Return what names the version of a spec; a new one, or one taken up again, is numbered.

        A resource that was only read again, or whose rollout was changed, keeps its number.
        """
        newest = self.newest()
        known = self._known.get(spec_hash)
        if known is not None and newest is not None and known.number == newest.number:
            return known.ref
        revision = Revision(
            number=newest.number + 1 if newest is not None else 1,
            spec_hash=spec_hash,
            generation=resource.metadata.generation,
            score=resource.spec.score,
            created_at=now,
        )
        self._put(revision)
        self.unwritten.add(spec_hash)
        return revision.ref

    def newest(self) -> Revision | None:
        """Return the version with the highest number."""
        return max(self._known.values(), key=lambda revision: revision.number, default=None)

    def get(self, spec_hash: str) -> Revision | None:
        """Return a version; None where it is not known."""
        return self._known.get(spec_hash)

    def version(self, ref: RevisionRef | None) -> Version | None:
        """Return what devices are given of a version; None where it is not known."""
        return self._versions.get(ref.spec_hash) if ref is not None else None

    def too_many(self, status: RolloutStatus | None) -> list[str]:
        """Return the hashes of the versions that need not be kept: the oldest ones, not in use."""
        used = in_use(status)
        ordered = sorted(self._known.values(), key=lambda revision: -revision.number)
        return [
            revision.spec_hash
            for revision in ordered[REVISION_HISTORY_LIMIT:]
            if revision.spec_hash not in used
        ]

    def drop(self, spec_hashes: Iterable[str]) -> None:
        """Forget versions."""
        for spec_hash in spec_hashes:
            self._known.pop(spec_hash, None)
            self._versions.pop(spec_hash, None)
            self.unwritten.discard(spec_hash)

    def _put(self, revision: Revision) -> None:
        self._known[revision.spec_hash] = revision
        self._versions[revision.spec_hash] = Version(
            score=encode(revision.score),
            entry=ManifestEntry(generation=revision.generation, spec_hash=revision.spec_hash),
        )


def in_use(status: RolloutStatus | None) -> set[str]:
    """Return the hashes of the versions that devices may be told of."""
    if status is None:
        return set()
    used = {status.update.spec_hash, *(layer.revision.spec_hash for layer in status.layers)}
    return used | ({status.stable.spec_hash} if status.stable is not None else set())
