"""Where the objects that the fleet uses are, in a Kubernetes API."""

from __future__ import annotations

from typing import Final

from fleet_core.cluster.client import path_of
from fleet_core.contracts.crds.definitions import DEPLOYMENTS_PLURAL, DEVICES_PLURAL, VERSION
from fleet_core.contracts.resources import API_GROUP

ALL_DEPLOYMENTS: Final = path_of("apis", API_GROUP, VERSION, DEPLOYMENTS_PLURAL)
ALL_DEVICES: Final = path_of("apis", API_GROUP, VERSION, DEVICES_PLURAL)
ALL_REVISIONS: Final = path_of("apis", "apps", "v1", "controllerrevisions")


def deployments(namespace: str) -> str:
    """Return the path of a namespace's Deployments."""
    return path_of("apis", API_GROUP, VERSION, "namespaces", namespace, DEPLOYMENTS_PLURAL)


def deployment(namespace: str, name: str) -> str:
    """Return the path of a Deployment."""
    return deployments(namespace) + path_of(name)


def device(name: str) -> str:
    """Return the path of a Device."""
    return ALL_DEVICES + path_of(name)


def revisions(namespace: str) -> str:
    """Return the path of a namespace's ControllerRevisions."""
    return path_of("apis", "apps", "v1", "namespaces", namespace, "controllerrevisions")


def revision(namespace: str, name: str) -> str:
    """Return the path of a ControllerRevision."""
    return revisions(namespace) + path_of(name)


def leases(namespace: str) -> str:
    """Return the path of a namespace's Leases."""
    return path_of("apis", "coordination.k8s.io", "v1", "namespaces", namespace, "leases")


def lease(namespace: str, name: str) -> str:
    """Return the path of a Lease."""
    return leases(namespace) + path_of(name)


def namespace(name: str) -> str:
    """Return the path of a namespace."""
    return path_of("api", "v1", "namespaces", name)


def events(namespace: str) -> str:
    """Return the path of a namespace's Events."""
    return path_of("api", "v1", "namespaces", namespace, "events")


def event(namespace: str, name: str) -> str:
    """Return the path of an Event."""
    return events(namespace) + path_of(name)


def status_of(path: str) -> str:
    """Return the path of an object's status."""
    return path + path_of("status")
