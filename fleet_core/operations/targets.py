"""Who is meant: names checked, filters and selectors resolved to device ids, command lines made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from fleet_core.contracts.base import Wire, field_path
from fleet_core.contracts.buckets import DEVICE_HEARTBEAT
from fleet_core.contracts.names import is_dns_label
from fleet_core.contracts.resources import DEFAULT_NAMESPACE
from fleet_core.errors import InvalidInputError
from fleet_core.operations.plans import DEFAULT_TAIL, command_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet_core.contracts.selectors import LabelSelector
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
        both = bool(request.devices)
        raise InvalidInputError(
            "both device ids and a filter are given" if both else "no device is named",
            expected="either device ids or a filter",
            remedy="give either device ids or a filter",
        )
    if request.devices:
        return device_ids(request.devices)
    return matching(fleet, request.filter)


def matching(fleet: LiveFleet, text: str) -> tuple[str, ...]:
    """Return the devices that a filter matches now, in the order of their ids.

    Raises:
        FilterError: it is no filter.
    """
    from fleet_core.view import parse_filter  # noqa: PLC0415 - a ping needs no read model

    view = fleet.view
    view.tick(time.time())
    ids = view.devices.ids
    return tuple(sorted(ids[slot] for slot in parse_filter(text).select(view.devices, view.now_s)))


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


def logs_command(fleet: LiveFleet, request: Request, what: str) -> str:
    """Return the ``fleet logs`` command line; of several devices, the first's."""
    words = ["fleet", *fleet.context.arguments, "logs", *request.devices[:1], what]
    if request.tail != DEFAULT_TAIL:
        words += ["--tail", str(request.tail)]
    if request.since_s is not None:
        words += ["--since", f"{request.since_s}s"]
    words += ["--previous"] * request.previous + ["--timestamps"] * request.timestamps
    return command_line(words)


def namespace_words(request: Request) -> tuple[str, ...]:
    """Return the command line's words for a namespace; none for the default one."""
    return () if request.namespace == DEFAULT_NAMESPACE else ("-n", request.namespace)


def selected(fleet: LiveFleet, selector: LabelSelector) -> list[str]:
    """Return the devices whose labels a selector matches, among those that have told theirs."""
    devices = fleet.view.devices
    # Devices with equal labels share one mapping: a fleet has few kinds of them.
    verdicts: dict[int, bool] = {}
    found = []
    for device_id, slot in devices.slot_of.items():
        if not devices.has_info[slot]:
            continue
        labels = devices.labels[slot]
        verdict = verdicts.get(id(labels))
        if verdict is None:
            verdict = verdicts[id(labels)] = selector.matches(labels)
        if verdict:
            found.append(device_id)
    return found


def offline_among(fleet: LiveFleet, device_ids: Iterable[str]) -> int | None:
    """Count the devices that nobody is expected to answer for; None without heartbeats."""
    if DEVICE_HEARTBEAT.name not in fleet.buckets:
        return None
    from fleet_core.view import Health  # noqa: PLC0415 - a ping needs no read model

    view = fleet.view
    view.tick(time.time())
    reachable = (Health.ONLINE, Health.STALE)
    slots = (view.devices.slot_of.get(device_id) for device_id in device_ids)
    return sum(slot is None or view.devices.health[slot] not in reachable for slot in slots)


def having(fleet: LiveFleet, deployment: str) -> list[str]:
    """Return the devices whose manifest names a deployment."""
    devices = fleet.view.devices
    return [
        device_id
        for device_id, slot in devices.slot_of.items()
        if deployment in (devices.desired[slot] or ())
    ]
