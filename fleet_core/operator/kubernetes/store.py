"""Deployments in a Kubernetes cluster: read as they change, their status and versions written."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from fleet_core.clock import SystemClock
from fleet_core.cluster import paths
from fleet_core.cluster.known import version_of
from fleet_core.cluster.watching import ClusterWatch, Kind
from fleet_core.contracts.base import encode
from fleet_core.contracts.crds.definitions import DEPLOYMENTS_PLURAL, DEVICES_PLURAL, VERSION
from fleet_core.contracts.resources import API_GROUP, FINALIZER
from fleet_core.errors import ConflictError, FleetError, NotFoundError
from fleet_core.operator.happenings import LET_GO
from fleet_core.operator.kubernetes.device_reconciler import DeviceReconciler
from fleet_core.operator.kubernetes.events import EventRecorder
from fleet_core.operator.kubernetes.identity import identity_of
from fleet_core.operator.kubernetes.mirror import Mirror
from fleet_core.operator.kubernetes.reading import (
    DEPLOYMENT_LABEL,
    revision_name,
    revision_object,
)
from fleet_core.operator.kubernetes.telling import (
    REVISIONS_PLURAL,
    Followers,
    Held,
    Telling,
)

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from fleet_core.cluster.client import ClusterClient
    from fleet_core.contracts.devices import DeviceInfo
    from fleet_core.contracts.resources import DeploymentStatus
    from fleet_core.contracts.rollouts import Revision
    from fleet_core.messaging import Connection
    from fleet_core.operator.happenings import Happening
    from fleet_core.operator.kubernetes.leadership import Leadership
    from fleet_core.operator.refusals import Refusals
    from fleet_core.operator.resource_store import ResourceHandler, ResourceKey

_log = logging.getLogger(__name__)

_FINALIZER_RETRY_S: Final = 1.0


class KubernetesResourceStore:
    """A `ResourceStore` over the resources of a cluster."""

    def __init__(
        self,
        client: ClusterClient,
        leadership: Leadership,
        connection: Connection,
        refusals: Refusals,
    ) -> None:
        self._client = client
        self._mirror = Mirror(connection, client.host, lambda: leadership.leads)
        self._events = EventRecorder(client)
        self._devices = DeviceReconciler(client, connection, SystemClock())
        self._leadership = leadership
        self._refusals = refusals
        self._held: dict[ResourceKey, Held] = {}
        self._look = asyncio.Event()

    @property
    def may_write(self) -> bool:
        """Whether this operator has the lease."""
        return self._leadership.leads

    def deleted_unseen(self, names: AbstractSet[str]) -> AbstractSet[str] | None:
        """Those that the mirror shows to have stood in this very cluster."""
        return self._mirror.shown(names)

    async def run(self, handler: ResourceHandler) -> None:
        """Tell of all resources, and of their changes, until cancelled."""
        self._mirror.cluster_id = await identity_of(self._client)
        kinds = (
            # Versions before the Deployments that they are of: only operators write them.
            Kind(
                *(REVISIONS_PLURAL, "apps", "v1", paths.ALL_REVISIONS),
                label_selector=DEPLOYMENT_LABEL,
                watched=False,
            ),
            Kind(DEVICES_PLURAL, API_GROUP, VERSION, paths.ALL_DEVICES),
            Kind(DEPLOYMENTS_PLURAL, API_GROUP, VERSION, paths.ALL_DEPLOYMENTS),
        )
        followers = Followers(self._mirror, self._devices.book)
        telling = Telling(handler, self._held, self._refusals, self._look.set, followers)
        watch = ClusterWatch(self._client, kinds, telling)
        self._leadership.on_change = lambda leads: self._lead_changed(handler, watch, leads=leads)
        async with asyncio.TaskGroup() as group:
            group.create_task(watch.run(), name="cluster-resources")
            group.create_task(self._leadership.run(), name="cluster-lease")
            group.create_task(self._protect(), name="cluster-finalizers")
            group.create_task(self._mirror.run(handler), name="cluster-mirror")
            group.create_task(self._events.run(), name="cluster-events")
            group.create_task(self._devices.run(handler), name="cluster-devices")

    def _lead_changed(self, handler: ResourceHandler, watch: ClusterWatch, *, leads: bool) -> None:
        if leads:
            watch.look_again()
            self._look.set()
            self._mirror.look()
            handler.on_may_write()

    # What we write

    async def _protect(self) -> None:
        """Put our finalizer on Deployments: none goes before its devices were told."""
        while True:
            await self._look.wait()
            self._look.clear()
            if not self.may_write:
                continue
            for key, held in list(self._held.items()):
                if held.is_leaving or FINALIZER in held.finalizers:
                    continue
                try:
                    await self._set_finalizers(key, held, [*held.finalizers, FINALIZER])
                except FleetError as error:
                    _log.info("the finalizer of %s/%s will be set later: %s", *key, error)
                    asyncio.get_running_loop().call_later(_FINALIZER_RETRY_S, self._look.set)

    async def _set_finalizers(self, key: ResourceKey, held: Held, finalizers: list[str]) -> None:
        metadata = {"finalizers": finalizers, "resourceVersion": str(held.version)}
        stored = await self._client.patch(paths.deployment(*key), {"metadata": metadata})
        held.version, held.finalizers = version_of(stored), finalizers

    async def write_status(self, key: ResourceKey, status: DeploymentStatus) -> None:
        """Store a status, unless the Deployment was changed by somebody since it was told."""
        held = self._held.get(key)
        payload = encode(status)
        if held is None or held.status == payload:
            return
        body: dict[str, Any] = {
            "metadata": {"resourceVersion": str(held.version)},
            "status": status.model_dump(mode="json", by_alias=True),
        }
        stored = await self._client.patch(paths.status_of(paths.deployment(*key)), body)
        held.status = payload
        held.version = held.status_version = version_of(stored)
        self._mirror.set_status(key, status)

    async def write_revision(self, key: ResourceKey, revision: Revision) -> None:
        """Store a version as a ControllerRevision."""
        held = self._held.get(key)
        if held is None:
            return
        body = revision_object(key, held.uid, revision)
        try:
            await self._client.create(paths.revisions(key[0]), body)
        except ConflictError:
            # It is there under an older number, and a server takes even the same data, written in
            # another order, for a change of what can never be changed.
            await self.forget_revision(key, revision.spec_hash)
            await self._client.create(paths.revisions(key[0]), body)
        self._mirror.set_revision(key, revision)

    async def forget_revision(self, key: ResourceKey, spec_hash: str) -> None:
        """Delete a version."""
        await self._client.delete(paths.revision(key[0], revision_name(key[1], spec_hash)))
        self._mirror.drop_revision(key, spec_hash)

    def tell(self, key: ResourceKey, happening: Happening) -> None:
        """Tell it as a Kubernetes Event."""
        held = self._held.get(key)
        if held is not None:
            self._events.note(key, held.uid, happening)

    def on_device_info(self, device: str, info: DeviceInfo | None) -> None:
        """Have the Device resource brought to it."""
        self._devices.book.say(device, info)

    def on_device_presence(self, device: str) -> None:
        """Have the Device resource tell it."""
        self._devices.book.due[device] = None

    async def let_go(self, key: ResourceKey) -> None:
        """Take our finalizer from a Deployment that was deleted: the cluster removes it then."""
        held = self._held.get(key)
        if held is None or FINALIZER not in held.finalizers:
            return
        self.tell(key, LET_GO)
        others = [each for each in held.finalizers if each != FINALIZER]
        try:
            await self._set_finalizers(key, held, others)
        except NotFoundError:
            return
