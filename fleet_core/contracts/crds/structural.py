"""A pydantic model's JSON Schema as Kubernetes' structural schema.

The rules are those of "Specifying a structural schema" in Kubernetes' documentation: no references,
a type at every place, nothing but validation inside ``anyOf``, no ``additionalProperties`` beside
``properties``. Fields that we do not know are kept, as everywhere on the wire. Defaults are left
out: a stored spec stays as it was written, and so does its hash.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic import BaseModel

PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_KEPT: Final = frozenset(
    {
        *("type", "enum", "format", "pattern", "description", "required", "nullable"),
        *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
        *("minProperties", "maxProperties"),
    }
)
"""Words of JSON Schema that mean the same in a structural schema."""
_FORMATS: Final = frozenset({"date-time"})


def structural_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return a model's schema, by its wire names."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _place(schema, schema.get("$defs", {}))


def _place(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _resolved(schema, definitions)
    if "anyOf" in schema:
        return _union(schema, definitions)
    found = {word: value for word, value in schema.items() if word in _KEPT}
    if "const" in schema:
        found["enum"] = [schema["const"]]
    if found.get("format") not in _FORMATS:
        found.pop("format", None)
    if "description" in found:
        found["description"] = _sentence(found["description"])
    match schema.get("type"):
        case "object":
            _object(schema, definitions, found)
        case "array":
            _array(schema, definitions, found)
        case "string" if _may_be_empty(found):
            # Up to 1.20 an API server takes an empty text for null, and refuses it.
            found["nullable"] = True
        case None:
            return _anything(found)
    return found


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        named = definitions[schema["$ref"].rpartition("/")[2]]
        schema = {**named, **{word: value for word, value in schema.items() if word != "$ref"}}
    return schema


def _union(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    arms = [_resolved(arm, definitions) for arm in schema["anyOf"]]
    others = [arm for arm in arms if arm.get("type") != "null"]
    nullable = len(others) < len(arms)
    if len(others) == 1:
        found = _place(others[0], definitions)
    elif {arm.get("type") for arm in others} == {"integer", "string"}:
        # The pattern is that of the text; a number is not held to it.
        found = {INT_OR_STRING: True, **_only(schema, "pattern")}
    else:
        found = {PRESERVE: True}
    if nullable:
        found["nullable"] = True
    if "description" in schema:
        found["description"] = _sentence(schema["description"])
    return found


def _may_be_empty(schema: dict[str, Any]) -> bool:
    if "enum" in schema or "format" in schema or schema.get("minLength"):
        return False
    return "pattern" not in schema or re.search(schema["pattern"], "") is not None


def _only(schema: dict[str, Any], word: str) -> dict[str, Any]:
    return {word: schema[word]} if word in schema else {}


def _object(schema: dict[str, Any], definitions: dict[str, Any], found: dict[str, Any]) -> None:
    properties = schema.get("properties")
    values = schema.get("additionalProperties")
    if properties:
        found["properties"] = {
            name: _place(value, definitions) for name, value in sorted(properties.items())
        }
        found[PRESERVE] = True
    elif isinstance(values, dict):
        found["additionalProperties"] = _place(values, definitions)
    else:
        found[PRESERVE] = True


def _array(schema: dict[str, Any], definitions: dict[str, Any], found: dict[str, Any]) -> None:
    items = schema.get("items")
    if not isinstance(items, dict):
        # A tuple, whose places differ: only its length can be told.
        items = {}
    found["items"] = _place(items, definitions) if items else {PRESERVE: True}


def _anything(found: dict[str, Any]) -> dict[str, Any]:
    if "enum" in found:
        return {**found, "type": "string"}
    return {**found, PRESERVE: True}


def _sentence(text: str) -> str:
    """Return the first paragraph, on one line: what ``kubectl explain`` shows."""
    return " ".join(text.split("\n\n", maxsplit=1)[0].split()).replace("``", "'")
