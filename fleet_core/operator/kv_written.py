"""What operators have written about Deployments into KV buckets: statuses and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fleet_core.contracts.base import decode
from fleet_core.contracts.buckets import (
    DEPLOYMENT_REVISIONS,
    DEPLOYMENT_STATUS,
    parse_resource_key,
    parse_revision_key,
)
from fleet_core.contracts.resources import DeploymentStatus
from fleet_core.contracts.rollouts import Revision
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from fleet_core.operator.refusals import Refusals
    from fleet_core.operator.resource_store import ResourceHandler


class StoredStatus(NamedTuple):
    """A status, byte for byte."""

    payload: bytes
    revision: int


class StatusFeed:
    """Takes the changes of the bucket `DEPLOYMENT_STATUS`, and tells those of other operators."""

    def __init__(self, refusals: Refusals) -> None:
        self.stored: dict[str, StoredStatus] = {}
        self.handler: ResourceHandler | None = None
        self._refusals = refusals
        self._revisions: dict[str, int] = {}

    def last_revision(self, key: str) -> int:
        """Return the revision of a key's last message, a deletion included; 0 without any."""
        return self._revisions.get(key, 0)

    def note_written(self, key: str, payload: bytes, revision: int) -> None:
        """Take note of a status that this operator has stored."""
        if revision > self.last_revision(key):
            self._revisions[key] = revision
            self.stored[key] = StoredStatus(payload, revision)

    def on_put(self, key: str, value: bytes, revision: int, _received_at_s: float) -> None:
        """Take a status; our own comes back too, and is no news."""
        if revision <= self.last_revision(key):
            return
        self.note_written(key, value, revision)
        try:
            named = parse_resource_key(key)
            status = decode(DeploymentStatus, value)
        except InvalidInputError as error:
            self._refusals.note(DEPLOYMENT_STATUS.name, key, error)
            return
        if self.handler is not None:
            self.handler.on_status(named, status)

    def on_delete(self, key: str, revision: int) -> None:
        """Take note that a status is gone."""
        if revision > self.last_revision(key):
            self._revisions[key] = revision
            self.stored.pop(key, None)

    def on_vanished(self, key: str) -> None:
        """Take note that a status is gone with its store: revisions begin anew."""
        self._revisions.pop(key, None)
        self.stored.pop(key, None)


class RevisionFeed:
    """Takes the changes of the bucket `DEPLOYMENT_REVISIONS`."""

    def __init__(self, refusals: Refusals) -> None:
        self.stored: dict[str, bytes] = {}
        self.handler: ResourceHandler | None = None
        self._refusals = refusals

    def on_put(self, key: str, value: bytes, _revision: int, _received_at_s: float) -> None:
        """Take a version; one that says another hash than its key is refused."""
        try:
            namespace, name, spec_hash = parse_revision_key(key)
            revision = decode(Revision, value)
            if revision.spec_hash != spec_hash:
                raise InvalidInputError(  # noqa: TRY301 - refused as what cannot be read is
                    "the version is another one than the key's", path="specHash", expected=spec_hash
                )
        except InvalidInputError as error:
            self._refusals.note(DEPLOYMENT_REVISIONS.name, key, error)
            return
        self.stored[key] = value
        if self.handler is not None:
            self.handler.on_revision((namespace, name), revision)

    def on_delete(self, key: str, _revision: int) -> None:
        """Take note that a version is not kept any more."""
        self.stored.pop(key, None)

    def on_vanished(self, key: str) -> None:
        """Take note that a version is gone with its store."""
        self.stored.pop(key, None)
