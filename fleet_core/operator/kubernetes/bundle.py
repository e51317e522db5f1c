"""What a cluster has to know before an operator runs: its resources, least-privilege roles."""

from __future__ import annotations

from typing import Any, Final

from fleet_core.contracts.crds import custom_resource_definitions
from fleet_core.contracts.resources import API_GROUP
from fleet_core.operator.kubernetes.leadership import LEASE_NAME

ACCOUNT: Final = "fleet-operator"
"""The service account, and the roles and bindings that are made for it."""
URL_VARIABLE: Final = "FLEET_NATS_URL"
"""As `fleet` reads it."""
SECRET: Final = "fleet-operator-nats"  # noqa: S105 - its name
PORT: Final = 9100
_NOBODY: Final = 65_534
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


def workload(namespace: str, image: str, nats_url: str = "", replicas: int = 2) -> dict[str, Any]:
    """Return the operator itself as a Kubernetes Deployment: one replica writes, others stand by.

    Without ``nats_url`` the Secret `SECRET` must hold it, as ``FLEET_NATS_URL``: it may hold a
    password, which has no place in a Deployment.
    """
    labels = {"app.kubernetes.io/name": ACCOUNT}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": ACCOUNT, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": ACCOUNT,
                    # It has nothing to save: whoever replaces it reads everything anew.
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": {"runAsNonRoot": True, "runAsUser": _NOBODY},
                    "containers": [_container(namespace, image, nats_url)],
                },
            },
        },
    }


def _container(namespace: str, image: str, nats_url: str) -> dict[str, Any]:
    words = ["operator", "--in-cluster", "--lease-namespace", namespace]
    if nats_url:
        where: dict[str, Any] = {"env": [{"name": URL_VARIABLE, "value": nats_url}]}
    else:
        where = {"envFrom": [{"secretRef": {"name": SECRET}}]}
    return {
        **where,
        "name": "operator",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [*words, "--listen", f":{PORT}", "--log-format", "json"],
        "ports": [{"name": "http", "containerPort": PORT}],
        "livenessProbe": _probe("/healthz", period_s=10),
        "readinessProbe": _probe("/readyz", period_s=2),
        # Measured with 10,000 devices: 204 MB, and a core for the seconds of a start.
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _probe(path: str, *, period_s: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_s,
        "timeoutSeconds": 2,
        "failureThreshold": 3,
    }


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
