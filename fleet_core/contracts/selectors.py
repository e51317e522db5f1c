"""Kubernetes label selectors: which devices a Deployment is meant for."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from fleet_core.contracts.base import Wire
from fleet_core.contracts.names import LabelKey, LabelMap, LabelValue

if TYPE_CHECKING:
    from collections.abc import Mapping


class SelectorOperator(StrEnum):
    """The operators of a Kubernetes ``LabelSelectorRequirement``."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class SelectorRequirement(Wire):
    """One condition on one label."""

    key: LabelKey
    operator: SelectorOperator
    values: Annotated[list[LabelValue], Field(max_length=1_000)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        wants_values = self.operator in (SelectorOperator.IN, SelectorOperator.NOT_IN)
        if wants_values and not self.values:
            raise ValueError(f"expected values with operator {self.operator}")
        if not wants_values and self.values:
            raise ValueError(f"expected no values with operator {self.operator}")
        return self

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet the condition; ``NotIn`` holds for an absent label too."""
        value = labels.get(self.key)
        match self.operator:
            case SelectorOperator.IN:
                return value is not None and value in self.values
            case SelectorOperator.NOT_IN:
                return value is None or value not in self.values
            case SelectorOperator.EXISTS:
                return value is not None
            case SelectorOperator.DOES_NOT_EXIST:
                return value is None


class LabelSelector(Wire):
    """A Kubernetes ``LabelSelector``: all of its conditions together; empty, it matches all."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    match_labels: LabelMap = Field(default_factory=dict)
    match_expressions: Annotated[list[SelectorRequirement], Field(max_length=64)] = Field(
        default_factory=list
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a device with these labels is meant."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )

    def __str__(self) -> str:
        """Return it as ``kubectl`` writes selectors: ``site=berlin,ring in (1,2)``."""
        parts = [f"{key}={value}" for key, value in sorted(self.match_labels.items())]
        parts += [_requirement_text(requirement) for requirement in self.match_expressions]
        return ",".join(parts) or "<all>"


def _requirement_text(requirement: SelectorRequirement) -> str:
    match requirement.operator:
        case SelectorOperator.IN:
            return f"{requirement.key} in ({','.join(requirement.values)})"
        case SelectorOperator.NOT_IN:
            return f"{requirement.key} notin ({','.join(requirement.values)})"
        case SelectorOperator.EXISTS:
            return requirement.key
        case SelectorOperator.DOES_NOT_EXIST:
            return f"!{requirement.key}"
