"""YAML and JSON text read into plain JSON values, with every way to blow a reader up refused.

What JSON cannot carry (dates, binary, sets, tags of one's own) is refused, and so are keys that
stand twice.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import yaml

from fleet_core.operations.yaml_events import MAX_DEPTH, Document, DocumentBuilder, DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator


def read_documents(text: str) -> list[Document]:
    """Return the documents of a YAML or JSON text; empty ones are left out.

    Raises:
        DocumentError: not YAML, or something that is refused.
    """
    # JSON is YAML but for tabs and the escapes of characters beyond the BMP.
    if text.lstrip().startswith("{") and (document := _read_json(text)) is not None:
        return [document]
    loader = getattr(yaml, "CLoader", yaml.Loader)
    builder = DocumentBuilder()
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.YAMLError as error:
        raise builder.not_yaml(error) from error
    return [document for document in builder.documents if document.value is not None]


def _read_json(text: str) -> Document | None:
    """Return the value of a JSON text; None where it is no JSON, and may be YAML."""
    try:
        value = json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_constant)
    except RecursionError:
        raise _json_error("nested too deeply", f"at most {MAX_DEPTH} levels") from None
    except ValueError:
        return None
    if _depth_exceeds(value, MAX_DEPTH):
        raise _json_error("nested too deeply", f"at most {MAX_DEPTH} levels")
    return Document(1, value, {})


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _json_error(f"{twice[:64]!r} stands twice", "each key once", twice)
    return found


def _no_constant(name: str) -> Any:
    raise _json_error(f"{name} is no JSON number", "a finite number")


def _json_error(said: str, expected: str, path: str = "") -> DocumentError:
    return DocumentError(said, document=1, line=0, path=path, expected=expected)


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [item for part in level for item in _items(part)]
        if not level:
            return False
    return True


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
