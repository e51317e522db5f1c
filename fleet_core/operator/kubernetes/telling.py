"""What a cluster tells of its objects, told on as the operator's resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from fleet_core.cluster.known import key_of, uid_of, version_of
from fleet_core.cluster.objects import read_deployment
from fleet_core.contracts.base import encode
from fleet_core.contracts.crds.definitions import DEPLOYMENTS_PLURAL, DEVICES_PLURAL
from fleet_core.contracts.resources import FINALIZER
from fleet_core.errors import InvalidInputError
from fleet_core.operator.kubernetes.reading import (
    given_labels,
    read_revision,
    read_status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_core.cluster.known import Key, Object
    from fleet_core.cluster.watching import Kind
    from fleet_core.operator.kubernetes.devices import DeviceBook
    from fleet_core.operator.kubernetes.mirror import Mirror
    from fleet_core.operator.refusals import Refusals
    from fleet_core.operator.resource_store import ResourceHandler, ResourceKey

REVISIONS_PLURAL: Final = "controllerrevisions"


@dataclass(slots=True)
class Held:
    """What is known of a Deployment's object."""

    uid: str
    version: int
    finalizers: list[str]
    told: bytes = b""
    """The Deployment as it was told last."""
    status: bytes = b""
    """The status as it was told or written last."""
    status_version: int = 0
    is_leaving: bool = False
    """Whether it was deleted, and only finalizers keep it."""


class Followers(NamedTuple):
    """Who else is told, beside the operator."""

    mirror: Mirror
    devices: DeviceBook


class Telling:
    """Takes the objects of a cluster, and tells a `ResourceHandler` what is new in them."""

    def __init__(
        self,
        handler: ResourceHandler,
        held: dict[ResourceKey, Held],
        refusals: Refusals,
        unprotected: Callable[[], None],
        followers: Followers,
    ) -> None:
        self._mirror = followers.mirror
        self._devices = followers.devices
        self._handler = handler
        self._held = held
        self._refusals = refusals
        self._unprotected = unprotected
        """Called where a Deployment has no finalizer of ours."""

    def on_object(self, kind: Kind, item: Object) -> None:
        """Take an object."""
        match kind.plural:
            case "deployments":
                self._take_deployment(self._handler, item)
            case "controllerrevisions":
                self._take_revision(self._handler, item)
            case "devices":
                device = key_of(item)[1]
                self._devices.show(device, item)
                self._handler.on_device_labels(device, given_labels(item))

    def on_gone(self, kind: Kind, key: Key) -> None:
        """Take note that an object is gone."""
        if kind.plural == DEPLOYMENTS_PLURAL:
            self._held.pop(key, None)
            self._mirror.drop(key)
            self._handler.on_deleted(key)
        elif kind.plural == REVISIONS_PLURAL:
            self._drop_revision(key)
        elif kind.plural == DEVICES_PLURAL:
            self._devices.show(key[1], None)
            self._handler.on_device_labels(key[1], None)

    def _drop_revision(self, key: Key) -> None:
        deployment, _, spec_hash = key[1].rpartition("-")
        self._mirror.drop_revision((key[0], deployment), spec_hash)

    def on_listed(self) -> None:
        """Everything that there is has been told."""
        self._mirror.listed()
        self._handler.on_resources_synced()

    def _take_deployment(self, handler: ResourceHandler, item: Object) -> None:
        key, metadata = key_of(item), item["metadata"]
        held = self._held.get(key)
        if held is None or held.uid != uid_of(item):
            held = self._held[key] = Held(uid_of(item), 0, [])
        held.version = max(held.version, version_of(item))
        held.finalizers = metadata.get("finalizers") or []
        held.is_leaving = "deletionTimestamp" in metadata
        if held.is_leaving:
            handler.on_deleted(key)
            return
        if FINALIZER not in held.finalizers:
            self._unprotected()
        self._take_status(handler, held, item)
        try:
            resource = read_deployment(item)
        except InvalidInputError as error:
            self._refusals.note(DEPLOYMENTS_PLURAL, "/".join(key), error)
            handler.on_refused(key, metadata.get("generation", 0), error)
            return
        told = encode(resource)
        if told != held.told:
            held.told = told
            self._mirror.set_deployment(resource)
            handler.on_resource(resource)

    def _take_status(self, handler: ResourceHandler, held: Held, item: Object) -> None:
        """Tell a status that somebody else wrote; our own comes back too, later ones among them."""
        if version_of(item) <= held.status_version:
            return
        held.status_version = version_of(item)
        try:
            status = read_status(item)
        except InvalidInputError as error:
            self._refusals.note(f"{DEPLOYMENTS_PLURAL}/status", "/".join(key_of(item)), error)
            return
        if status is not None and encode(status) != held.status:
            held.status = encode(status)
            self._mirror.set_status(key_of(item), status)
            handler.on_status(key_of(item), status)

    def _take_revision(self, handler: ResourceHandler, item: Object) -> None:
        try:
            key, revision = read_revision(item)
        except InvalidInputError as error:
            self._refusals.note(REVISIONS_PLURAL, "/".join(key_of(item)), error)
            return
        self._mirror.set_revision(key, revision)
        handler.on_revision(key, revision)
