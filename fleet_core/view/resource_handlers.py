"""What takes Deployments, their statuses and versions into the read model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fleet_core.contracts.base import decode
from fleet_core.contracts.buckets import parse_resource_key, parse_revision_key
from fleet_core.contracts.resources import Deployment, DeploymentStatus
from fleet_core.contracts.rollouts import Revision
from fleet_core.contracts.scores import spec_hash
from fleet_core.contracts.text import printable
from fleet_core.view.handlers import ViewHandler, own
from fleet_core.view.rows import DeploymentRow

if TYPE_CHECKING:
    from collections.abc import Mapping


class DeploymentHandler(ViewHandler):
    """Takes Deployment resources."""

    def take(self, key: str, value: bytes, received_at_s: float) -> None:
        """Take a Deployment."""
        place = parse_resource_key(key)
        resource = decode(Deployment, value)
        own("/".join(resource.key), "/".join(place))
        view = self._view
        view.deployments[place] = DeploymentRow(
            resource=resource,
            spec_hash=spec_hash(resource.spec.score),
            selector=printable(str(resource.spec.target_selector)),
            changed_at_s=received_at_s,
            status=view.statuses.get(place) or DeploymentStatus(),
        )
        view.changes += 1

    def drop(self, key: str) -> None:
        """Forget a Deployment."""
        if self._view.deployments.pop(parse_resource_key(key), None) is not None:
            self._view.changes += 1


class StatusHandler(ViewHandler):
    """Takes what the operator says of Deployments; it may come before its Deployment."""

    def take(self, key: str, value: bytes, received_at_s: float) -> None:
        """Take a status."""
        del received_at_s
        place, status = parse_resource_key(key), decode(DeploymentStatus, value)
        self._view.statuses[place] = status
        self._tell(place, status)

    def drop(self, key: str) -> None:
        """Forget a status."""
        place = parse_resource_key(key)
        if self._view.statuses.pop(place, None) is not None:
            self._tell(place, DeploymentStatus())

    def _tell(self, place: tuple[str, str], status: DeploymentStatus) -> None:
        row = self._view.deployments.get(place)
        if row is not None:
            self._view.deployments[place] = replace(row, status=status)
        self._view.changes += 1


class RevisionHandler(ViewHandler):
    """Takes the versions of Deployments that are kept."""

    def take(self, key: str, value: bytes, received_at_s: float) -> None:
        """Take a version."""
        del received_at_s
        namespace, name, spec_hash_of_key = parse_revision_key(key)
        revision = decode(Revision, value)
        own(revision.spec_hash, spec_hash_of_key)
        self._view.revisions.setdefault((namespace, name), {})[revision.spec_hash] = revision
        self._view.changes += 1

    def drop(self, key: str) -> None:
        """Forget a version."""
        namespace, name, spec_hash_of_key = parse_revision_key(key)
        known: Mapping[str, Revision] = self._view.revisions.get((namespace, name), {})
        if spec_hash_of_key in known:
            left = {each: known[each] for each in known if each != spec_hash_of_key}
            if left:
                self._view.revisions[namespace, name] = left
            else:
                del self._view.revisions[namespace, name]
            self._view.changes += 1
