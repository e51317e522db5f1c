"""The base of every wire model, and the one door through which payloads enter and leave."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic_core import ErrorDetails

MAX_PAYLOAD_BYTES = 1024 * 1024
"""No payload is larger: the default ``max_payload`` of nats-server."""


class Wire(BaseModel):
    """A model that crosses the wire.

    Strict (``"5"`` is not a number), immutable, and it keeps fields that it does not know, so that
    a newer peer's payload survives being read and written by an older one.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", allow_inf_nan=False)


class Resource(Wire):
    """A part of a Kubernetes resource: camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


def _to_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Timestamp = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment in UTC, RFC 3339 on the wire; one without an offset is refused."""

_Model = TypeVar("_Model", bound=BaseModel)


def without_defaults(
    model: BaseModel, written: dict[str, Any], names: Collection[str] | None = None
) -> dict[str, Any]:
    """Return what a serializer wrote without the named fields (all by default) at their defaults.

    A field that older peers do not know must not change the hash of the scores that they know.
    """
    for name, field in type(model).model_fields.items():
        if names is not None and name not in names:
            continue
        if getattr(model, name) == field.get_default(call_default_factory=True):
            written.pop(name, None)
            written.pop(field.serialization_alias or name, None)
    return written


def canonical_json(value: object) -> bytes:
    """Return the one JSON encoding of a value: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: the value holds a NaN, an infinity or a lone surrogate.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def encode(model: BaseModel) -> bytes:
    """Return a model's canonical JSON, by its wire names."""
    return canonical_json(model.model_dump(mode="json", by_alias=True))


def decode(model: type[_Model], payload: bytes, *, limit_bytes: int = MAX_PAYLOAD_BYTES) -> _Model:
    """Read a payload that somebody sent, or refuse it with the place and what was expected.

    Raises:
        InvalidInputError: too large, not UTF-8, not JSON, too deeply nested, holding a NUL, or not
            what the model says; ``path`` names the first field that is wrong.
    """
    name = model.__name__
    if len(payload) > limit_bytes:
        raise InvalidInputError(
            f"{name}: {len(payload)} bytes are too many", expected=f"at most {limit_bytes} bytes"
        )
    if b"\\u0000" in payload and (path := _nul_path(payload)) is not None:
        raise InvalidInputError(
            f"{name} {path}: the text holds a NUL", path=path, expected="text without NUL"
        )
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        raise _refusal(name, error.errors(include_url=False)[0]) from error


def _nul_path(payload: bytes) -> str | None:
    """Return where the payload's first text with a NUL stands; None where there is none."""
    try:
        pending: list[tuple[tuple[str | int, ...], Any]] = [((), from_json(payload))]
    except ValueError:
        return None
    while pending:
        place, value = pending.pop()
        if isinstance(value, str) and "\0" in value:
            return field_path(place)
        if isinstance(value, dict):
            pending += [((*place, name), item) for name, item in value.items()]
            pending += [(place, name) for name in value]
        elif isinstance(value, list):
            pending += [((*place, index), item) for index, item in enumerate(value)]
    return None


def _refusal(name: str, detail: ErrorDetails) -> InvalidInputError:
    path = field_path(detail["loc"])
    said = detail["msg"].removeprefix("Value error, ")
    place = f"{name} {path}" if path else name
    return InvalidInputError(f"{place}: {said}", path=path, expected=said)


def unknown_fields(model: BaseModel, path: str = "") -> list[str]:
    """Return the paths of fields that the model carries and does not know: often typing slips."""
    found = [f"{path}{name}" for name in model.model_extra or {}]
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        written = field.serialization_alias or name
        if isinstance(value, BaseModel):
            found += unknown_fields(value, f"{path}{written}.")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, BaseModel):
                    found += unknown_fields(item, f"{path}{written}[{index}].")
    return found


def field_path(location: tuple[str | int, ...]) -> str:
    """Return a pydantic location as people write it: ``data.services[0].image``."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path
