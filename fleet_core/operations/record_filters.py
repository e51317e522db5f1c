"""The filter language on deployments, failures and events, whose rows are no devices.

On deployments, words look through name, selector and last error; conditions compare ``name``,
``namespace``, ``selector`` and the Deployment's own labels. On failures, ``deployment``,
``container``, ``cause`` and ``exit`` tell of the failure, and all else of the devices it is on. On
events, words look through the event and its device's labels; ``device``, ``deployment`` and
``event`` tell of the event, and all else of its device.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet_core.errors import InvalidInputError
from fleet_core.view.filter_terms import Condition, Word
from fleet_core.view.filters import All, Not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fleet_core.view import (
        DeploymentRow,
        Event,
        FailedDevice,
        FailureGroup,
        Filter,
        FleetView,
    )
    from fleet_core.view.filters import Term


def matching_deployments(chosen: Filter, rows: Iterable[DeploymentRow]) -> list[DeploymentRow]:
    """Return the deployments that a filter matches."""
    return [row for row in rows if chosen.term is None or _holds(chosen.term, _on(row))]


def matching_failures(
    chosen: Filter, groups: Iterable[FailureGroup], view: FleetView
) -> list[FailureGroup]:
    """Return the groups with those of their devices that a filter matches; none is empty."""
    if chosen.term is None:
        return list(groups)
    kept = []
    for group in groups:
        devices = tuple(
            device
            for device in group.devices
            if _holds(chosen.term, _on_failure(group, device, view))
        )
        if devices:
            kept.append(replace(group, devices=devices, spread=_spread(devices, view)))
    return kept


def matching_events(chosen: Filter, events: Iterable[Event], view: FleetView) -> list[Event]:
    """Return the events that a filter matches, in their order."""
    if chosen.term is None:
        return list(events)
    return [event for event in events if _holds(chosen.term, _on_event(event, view))]


def _spread(devices: Iterable[FailedDevice], view: FleetView) -> tuple[tuple[str, int], ...]:
    slots = (view.devices.slot_of.get(device.device_id) for device in devices)
    sites = Counter(
        view.devices.labels[slot].get("site", "-") for slot in slots if slot is not None
    )
    return tuple(sites.most_common())


def _on(row: DeploymentRow) -> Callable[[Word | Condition], bool]:
    error = row.aggregate.last_error
    fields = {
        **row.resource.metadata.labels,
        "name": row.name,
        "namespace": row.namespace,
        "selector": row.selector,
    }
    text = " ".join((*fields.values(), error.message if error else ""))
    return lambda leaf: _leaf_holds(leaf, fields, text)


def _on_failure(
    group: FailureGroup, device: FailedDevice, view: FleetView
) -> Callable[[Word | Condition], bool]:
    fields = {
        "deployment": group.deployment,
        "container": group.container,
        "cause": group.cause,
        "exit": "" if group.exit_code is None else str(group.exit_code),
    }
    text = " ".join((*fields.values(), group.how, device.message))
    slot = view.devices.slot_of.get(device.device_id)

    def holds(leaf: Word | Condition) -> bool:
        if isinstance(leaf, Condition) and leaf.field in fields:
            return _leaf_holds(leaf, fields, text)
        if isinstance(leaf, Word) and _leaf_holds(leaf, fields, text):
            return True
        return slot is not None and leaf.predicate(view.devices)(slot, view.now_s)

    return holds


def _on_event(event: Event, view: FleetView) -> Callable[[Word | Condition], bool]:
    fields = {"device": event.device_id, "deployment": event.deployment, "event": event.text}
    slot = view.devices.slot_of.get(event.device_id)
    labels = view.devices.labels[slot].values() if slot is not None else ()
    text = " ".join((*fields.values(), *labels))

    def holds(leaf: Word | Condition) -> bool:
        # A word must not match by what the device says now: the event is past.
        if isinstance(leaf, Word) or leaf.field in fields:
            return _leaf_holds(leaf, fields, text)
        return slot is not None and leaf.predicate(view.devices)(slot, view.now_s)

    return holds


def _leaf_holds(leaf: Word | Condition, fields: Mapping[str, str], text: str) -> bool:
    if isinstance(leaf, Word):
        return leaf.text.lower() in text.lower()
    value, wanted = fields.get(leaf.field, "").lower(), leaf.value.lower()
    match leaf.operator:
        case "=":
            return value == wanted
        case "!=":
            return value != wanted
        case "~":
            return wanted in value
        case "!~":
            return wanted not in value
        case _:
            expected = f"one of the conditions on {', '.join(fields)}"
            raise InvalidInputError(
                f"{leaf.field}{leaf.operator} says nothing here", path="filter", expected=expected
            )


def _holds(term: Term, leaf_holds: Callable[[Word | Condition], bool]) -> bool:
    match term:
        case Word() | Condition():
            return leaf_holds(term)
        case Not(inner):
            return not _holds(inner, leaf_holds)
        case All(terms):
            return all(_holds(each, leaf_holds) for each in terms)
        case _:
            return any(_holds(each, leaf_holds) for each in term.terms)
