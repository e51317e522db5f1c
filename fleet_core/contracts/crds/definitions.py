"""The two CustomResourceDefinitions: Deployment (``fleetdep``) and Device (``fleetdev``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fleet_core.contracts.crds.structural import structural_schema
from fleet_core.contracts.device_resources import DeviceSpec, DeviceStatus
from fleet_core.contracts.resources import API_GROUP, DeploymentSpec, DeploymentStatus

if TYPE_CHECKING:
    from pydantic import BaseModel

VERSION: Final = "v1alpha1"
DEPLOYMENTS_PLURAL: Final = "deployments"
DEVICES_PLURAL: Final = "devices"
_READY: Final = '.status.conditions[?(@.type=="Ready")].status'
_ONLINE: Final = '.status.conditions[?(@.type=="Online")].status'
_DEPLOYMENT_COLUMNS: Final = (
    ("Matched", "integer", ".status.aggregate.matchedDeviceCount", 0),
    ("OK", "integer", ".status.aggregate.succeeded", 0),
    ("Pending", "integer", ".status.aggregate.pending", 0),
    ("Failed", "integer", ".status.aggregate.failed", 0),
    ("Offline", "integer", ".status.aggregate.offline", 0),
    ("Rollout", "string", ".status.rollout.phase", 0),
    ("Revision", "integer", ".status.rollout.update.number", 0),
    ("Ready", "string", _READY, 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Last error", "string", ".status.aggregate.lastError.message", 1),
)
_DEVICE_COLUMNS: Final = (
    ("Online", "string", _ONLINE, 0),
    ("Last heartbeat", "date", ".status.lastHeartbeat", 0),
    ("Agent", "string", ".spec.agentVersion", 0),
    ("Arch", "string", ".spec.inventory.arch", 0),
    ("Model", "string", ".spec.inventory.model", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("OS", "string", ".spec.inventory.os", 1),
    ("Runtime", "string", ".spec.inventory.runtime", 1),
)
"""Name, type, path, and priority: 1 is shown with ``-o wide`` only."""


def custom_resource_definitions() -> list[dict[str, Any]]:
    """Return both definitions, as they are applied; the same each time."""
    return [
        _definition(
            _names("Deployment", DEPLOYMENTS_PLURAL, "fleetdep"),
            "Namespaced",
            _schema("What should run on which devices.", DeploymentSpec, DeploymentStatus),
            _DEPLOYMENT_COLUMNS,
        ),
        _definition(
            _names("Device", DEVICES_PLURAL, "fleetdev"),
            "Cluster",
            _schema("A device of the fleet; the operator writes it.", DeviceSpec, DeviceStatus),
            _DEVICE_COLUMNS,
        ),
    ]


def _names(kind: str, plural: str, short: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
        "categories": ["fleet"],
    }


def _schema(description: str, spec: type[BaseModel], status: type[BaseModel]) -> dict[str, Any]:
    told = structural_schema(status)
    told["properties"]["conditions"] |= {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    }
    return {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(spec),
            "status": told,
        },
    }


def _definition(
    names: dict[str, Any],
    scope: str,
    schema: dict[str, Any],
    columns: tuple[tuple[str, str, str, int], ...],
) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{API_GROUP}"},
        "spec": {
            "group": API_GROUP,
            "names": names,
            "scope": scope,
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "priority": priority}
                        for name, kind, path, priority in columns
                    ],
                }
            ],
        },
    }
