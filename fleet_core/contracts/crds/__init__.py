"""The CustomResourceDefinitions of the fleet's resources, made from the models."""

from fleet_core.contracts.crds.definitions import custom_resource_definitions

__all__ = ["custom_resource_definitions"]
