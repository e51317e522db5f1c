"""A Deployment object of a cluster, read at the door as the fleet's model. Pure."""

from __future__ import annotations

from typing import Any, Final

from fleet_core.contracts.base import canonical_json, decode
from fleet_core.contracts.resources import API_GROUP, Deployment

_METADATA: Final = ("name", "namespace", "generation", "labels", "creationTimestamp")


def read_deployment(item: dict[str, Any]) -> Deployment:
    """Return a Deployment; of its metadata what the fleet knows, of its annotations its own.

    Raises:
        InvalidInputError: it is not what the model says.
    """
    metadata = item["metadata"]
    known = {name: metadata[name] for name in _METADATA if name in metadata}
    annotations = {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if name.startswith(f"{API_GROUP}/")
    }
    document = {
        "apiVersion": item.get("apiVersion"),
        "kind": item.get("kind"),
        "metadata": {**known, "annotations": annotations},
        "spec": item.get("spec"),
    }
    return decode(Deployment, canonical_json(document))
