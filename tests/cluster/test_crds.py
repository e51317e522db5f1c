"""The CustomResourceDefinitions on a real API server: accepted, shown, strict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fleet_core.contracts.base import decode
from fleet_core.contracts.resources import Deployment
from fleet_core.contracts.scores import spec_hash
from tests.operator.fleets import deployment

if TYPE_CHECKING:
    from tests.support.kubernetes import KubernetesMachine

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(60)]


def resource(**spec: Any) -> dict[str, Any]:
    """A Deployment as a person writes it."""
    value = json.loads(deployment().model_dump_json(by_alias=True))
    del value["metadata"]["generation"], value["metadata"]["creationTimestamp"]
    value["spec"] |= spec
    return value


def test_a_deployment_is_stored_as_it_was_written(kubernetes: KubernetesMachine) -> None:
    written = resource()
    service = written["spec"]["score"]["data"]["services"][0]
    service["someday"] = {"x": [1]}
    service["env"] = {"EMPTY": ""}
    del service["health"]  # kubectl sends no nulls.
    kubernetes.apply(written)
    stored = kubernetes.get("fleetdep", "web")
    assert stored["spec"] == written["spec"]
    before = decode(Deployment, json.dumps(written).encode())
    after = decode(Deployment, json.dumps(stored).encode())
    assert spec_hash(after.spec.score) == spec_hash(before.spec.score)


def test_kubectl_shows_what_one_looks_for(kubernetes: KubernetesMachine) -> None:
    kubernetes.apply(resource())
    deployments = kubernetes.kubectl("get", "fleetdep").splitlines()
    assert deployments[0].split() == [
        *("NAME", "MATCHED", "OK", "PENDING", "FAILED", "OFFLINE"),
        *("ROLLOUT", "REVISION", "READY", "AGE"),
    ]
    device = {
        "apiVersion": "fleet.nationtech.io/v1alpha1",
        "kind": "Device",
        "metadata": {"name": "kiosk-1", "labels": {"site": "berlin"}},
        "spec": {"agentVersion": "1.2.3", "inventory": {"arch": "aarch64", "model": None}},
    }
    kubernetes.apply(device)
    line = kubernetes.kubectl("get", "fleetdev", "-l", "site=berlin").splitlines()[1]
    assert line.split()[:3] == ["kiosk-1", "1.2.3", "aarch64"]
    assert "kiosk-1" in kubernetes.kubectl("get", "fleet", "-A")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rollout": {"strategy": "Someday"}}, "spec.rollout.strategy"),
        ({"rollout": {"batches": [{"name": "a", "count": "many"}]}}, "spec.rollout.batches.count"),
        ({"targetSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}, "operator"),
        ({"score": {"type": "Docker", "data": {}}}, "spec.score.type"),
        ({"score": {"type": "PodmanV0", "data": {"services": []}}}, "services"),
    ],
)
def test_what_the_schema_knows_to_be_wrong_is_refused_at_once(
    kubernetes: KubernetesMachine, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(AssertionError, match=said.replace(".", r"\.")):
        kubernetes.apply(resource(**change))
