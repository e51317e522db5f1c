"""Who is meant: names checked, filters and selectors resolved to device ids, command lines made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from fleet_core.contracts.base import Wire, field_path
from fleet_core.contracts.names import is_dns_label
from fleet_core.errors import InvalidInputError
from fleet_core.operations.plans import command_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import Request

_Model = TypeVar("_Model", bound=Wire)

_LABEL = "1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends"


def validated(model: type[_Model], **fields: Any) -> _Model:
    """Build a wire model from what a person typed.

    Raises:
        InvalidInputError: with the field and what was expected.
    """
    try:
        return model(**fields)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        path = field_path(detail["loc"])
        said = detail["msg"].removeprefix("Value error, ")
        raise InvalidInputError(f"{path}: {said}", path=path, expected=said) from error


def device_ids(names: Iterable[str]) -> tuple[str, ...]:
    """Return each name once, in order; raises InvalidInputError for one that is no device id."""
    ids = tuple(dict.fromkeys(names))
    for name in ids:
        if not is_dns_label(name):
            raise InvalidInputError(
                f"{name[:80]!r} is no device id", path="devices", expected=_LABEL, remedy=_LABEL
            )
    return ids


def deployment_name(request: Request) -> str:
    """Return the deployment's name; raises InvalidInputError where it is none."""
    for path, name in (("deployment", request.deployment), ("namespace", request.namespace)):
        if not is_dns_label(name):
            raise InvalidInputError(
                f"{name[:80]!r} is no {path} name", path=path, expected=_LABEL, remedy=_LABEL
            )
    return request.deployment


def chosen(fleet: LiveFleet, request: Request) -> tuple[str, ...]:
    """Return the devices that a request names, or that its filter matches.

    Raises:
        InvalidInputError: neither, both, or a wrong name or filter.
    """
    if bool(request.devices) == bool(request.filter):
        raise InvalidInputError(
            "name devices, or give a filter" if not request.devices else "names and a filter",
            expected="either device ids or a filter",
            remedy="give either device ids or a filter",
        )
    if request.devices:
        return device_ids(request.devices)
    return matching(fleet, request.filter)


def command(fleet: LiveFleet, request: Request, *words: str) -> str:
    """Return the ``fleet`` command line for words, followed by the devices or the filter."""
    chosen_by = ["--filter", request.filter] if request.filter else list(request.devices)
    return command_line(["fleet", *fleet.context.arguments, *words, *chosen_by])


def production_name(fleet: LiveFleet) -> str:
    """Return the name of the context where it is a production one, else empty."""
    return fleet.context.name if fleet.context.production else ""


def audit_target(request: Request, what: str) -> str:
    """Return what an audit record says the operation was done to."""
    if request.filter:
        return f"{what} on devices matching {request.filter}"
    if request.devices:
        return f"{what} on {', '.join(request.devices)}"
    return what
