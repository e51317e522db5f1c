"""Objects of a cluster, read at the door as the fleet's models. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from fleet_core.contracts.base import canonical_json, decode
from fleet_core.contracts.resources import API_GROUP, DeploymentStatus
from fleet_core.contracts.rollouts import Revision
from fleet_core.contracts.scores import Score, spec_hash
from fleet_core.errors import InvalidInputError

FIELD_MANAGER: Final = "fleet-operator"
DEPLOYMENT_LABEL: Final = f"{API_GROUP}/deployment"
"""On a ControllerRevision: the Deployment that it is a version of."""
GENERATION_ANNOTATION: Final = f"{API_GROUP}/generation"
CREATED_ANNOTATION: Final = f"{API_GROUP}/created-at"


def read_status(item: dict[str, Any]) -> DeploymentStatus | None:
    """Return a Deployment's status; None where there is none yet.

    Raises:
        InvalidInputError: it is not what the model says.
    """
    status = item.get("status")
    return decode(DeploymentStatus, canonical_json(status)) if status else None


def revision_object(deployment: tuple[str, str], uid: str, revision: Revision) -> dict[str, Any]:
    """Return the ControllerRevision that keeps a version; the cluster removes it with its owner.

    ``data`` can never be changed; when and under which generation it was taken up stands beside.
    """
    namespace, name = deployment
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": revision_name(name, revision.spec_hash),
            "namespace": namespace,
            "labels": {DEPLOYMENT_LABEL: name},
            "annotations": {
                GENERATION_ANNOTATION: str(revision.generation),
                CREATED_ANNOTATION: revision.created_at.isoformat(),
            },
            "ownerReferences": [
                {
                    "apiVersion": f"{API_GROUP}/v1alpha1",
                    "kind": "Deployment",
                    "name": name,
                    "uid": uid,
                    "controller": True,
                }
            ],
        },
        "revision": revision.number,
        "data": {"score": revision.score.model_dump(mode="json", by_alias=True)},
    }


def revision_name(deployment: str, spec_hash_: str) -> str:
    """Return the name of the ControllerRevision of a version."""
    return f"{deployment}-{spec_hash_}"


def read_revision(item: dict[str, Any]) -> tuple[tuple[str, str], Revision]:
    """Return a version, and the Deployment that it is of.

    Raises:
        InvalidInputError: it is none of ours.
    """
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    try:
        score = decode(Score, json.dumps(item["data"]["score"]).encode())
        name = metadata["labels"][DEPLOYMENT_LABEL]
        revision = Revision(
            number=item["revision"],
            spec_hash=spec_hash(score),
            generation=int(annotations[GENERATION_ANNOTATION]),
            score=score,
            created_at=datetime.fromisoformat(annotations[CREATED_ANNOTATION]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"the ControllerRevision {metadata.get('name')} is no version of a Deployment: {error}",
            expected="what fleet operator wrote",
        ) from error
    return (metadata["namespace"], name), revision


def given_labels(item: dict[str, Any]) -> dict[str, str]:
    """Return the labels of a Device that somebody else than the operator has set.

    Who set a field stands in ``metadata.managedFields``.
    """
    return _labels(item, ours=False)


def own_labels(item: dict[str, Any]) -> dict[str, str]:
    """Return the labels of a Device that the operator has set."""
    return _labels(item, ours=True)


def _labels(item: dict[str, Any], *, ours: bool) -> dict[str, str]:
    metadata = item["metadata"]
    labels: dict[str, str] = metadata.get("labels") or {}
    found: dict[str, str] = {}
    for entry in metadata.get("managedFields") or ():
        if (entry.get("manager") == FIELD_MANAGER) is not ours:
            continue
        owned = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:labels") or {}
        names = (name.removeprefix("f:") for name in owned)
        found |= {name: labels[name] for name in names if name in labels}
    return found
