"""The CustomResourceDefinitions are made from the models, and keep to Kubernetes' rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet_core.contracts.crds import custom_resource_definitions
from fleet_core.contracts.resources import Deployment, DeploymentStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

UNTYPED = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
FORBIDDEN = ("$ref", "anyOf", "oneOf", "allOf", "default", "title", "const", "prefixItems")


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    for definition in custom_resource_definitions():
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        yield from places(definition["spec"]["names"]["kind"], schema)


def places(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, value in schema.get("properties", {}).items():
        yield from places(f"{path}.{name}", value)
    for word in ("items", "additionalProperties"):
        if word in schema:
            yield from places(f"{path}[]", schema[word])


def test_each_place_has_a_type_and_nothing_that_a_structural_schema_forbids() -> None:
    for path, schema in schemas():
        assert "type" in schema or any(word in schema for word in UNTYPED), path
        assert not [word for word in FORBIDDEN if word in schema], path
        assert not ("properties" in schema and "additionalProperties" in schema), path


def test_every_field_of_the_models_is_there() -> None:
    known = dict(schemas())
    for name, field in DeploymentStatus.model_fields.items():
        assert f"Deployment.status.{field.serialization_alias or name}" in known
    assert "Deployment.spec.score.data.services[].image" in known
    assert "Deployment.spec.rollout.batches[].soakSeconds" in known
    assert "Device.spec.inventory.memoryBytes" in known
    assert Deployment.model_fields.keys() == {"api_version", "kind", "metadata", "spec"}


def test_they_are_the_same_each_time() -> None:
    assert custom_resource_definitions() == custom_resource_definitions()
