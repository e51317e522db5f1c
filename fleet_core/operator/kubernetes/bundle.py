"""What a cluster has to know before an operator runs: its resources, least-privilege roles."""

from __future__ import annotations

from typing import Any, Final

from fleet_core.contracts.crds import custom_resource_definitions
from fleet_core.contracts.resources import API_GROUP
from fleet_core.operator.kubernetes.leadership import LEASE_NAME

ACCOUNT: Final = "fleet-operator"
"""The service account, and the roles and bindings that are made for it."""
_RBAC: Final = "rbac.authorization.k8s.io"


def bundle(namespace: str) -> list[dict[str, Any]]:
    """Return all documents, in the order in which they are applied.

    ``namespace`` is where the operator and its Lease are.
    """
    return [
        *custom_resource_definitions(),
        _account(namespace),
        _document("ClusterRole", {"name": ACCOUNT}, rules=_cluster_rules()),
        _binding("ClusterRole", {"name": ACCOUNT}, namespace),
        _document("Role", {"name": ACCOUNT, "namespace": namespace}, rules=_lease_rules()),
        _binding("Role", {"name": ACCOUNT, "namespace": namespace}, namespace),
    ]


def _cluster_rules() -> list[dict[str, Any]]:
    return [
        # Read everywhere; patched for the finalizer alone.
        _rule(API_GROUP, ["deployments"], "get", "list", "watch", "patch"),
        _rule(API_GROUP, ["deployments/status", "devices/status"], "get", "patch"),
        _rule(API_GROUP, ["deployments/finalizers"], "update"),
        _rule(API_GROUP, ["devices"], "get", "list", "watch", "create", "patch", "delete"),
        # The versions of Deployments.
        _rule("apps", ["controllerrevisions"], "get", "list", "create", "patch", "delete"),
        _rule("", ["events"], "create", "patch"),
        # Its uid says which cluster this is.
        {**_rule("", ["namespaces"], "get"), "resourceNames": ["kube-system"]},
    ]


def _lease_rules() -> list[dict[str, Any]]:
    group = "coordination.k8s.io"
    return [
        # A new object has no name yet that a rule could go by.
        _rule(group, ["leases"], "create"),
        {**_rule(group, ["leases"], "get", "update"), "resourceNames": [LEASE_NAME]},
    ]


def _rule(group: str, resources: list[str], *verbs: str) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}


def _account(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT, "namespace": namespace},
    }


def _document(kind: str, metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, **more}


def _binding(kind: str, metadata: dict[str, Any], namespace: str) -> dict[str, Any]:
    return _document(
        f"{kind}Binding",
        metadata,
        roleRef={"apiGroup": _RBAC, "kind": kind, "name": ACCOUNT},
        subjects=[{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
    )
