"""Which buckets a question needs: a ping of one device needs none, and pays for none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fleet_core.contracts.buckets import (
    DEPLOYMENT_REVISIONS,
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_MANIFEST,
    DEVICE_STATE,
)

if TYPE_CHECKING:
    from fleet_core.view.filters import Term

PRESENCE_BUCKETS: Final = (DEVICE_HEARTBEAT.name, DEVICE_MANIFEST.name)
"""Who is online, and what each device should run; a manifest tells the heartbeat's interval."""
LABEL_BUCKETS: Final = (DEVICE_INFO.name, *PRESENCE_BUCKETS)
"""Whom a selector matches, and who of them is online."""
DEVICE_BUCKETS: Final = (*LABEL_BUCKETS, DEVICE_STATE.name)
"""Everything about devices."""
DEPLOYMENT_BUCKETS: Final = (DEPLOYMENTS.name, DEPLOYMENT_STATUS.name)
ROLLOUT_BUCKETS: Final = (*DEPLOYMENT_BUCKETS, DEPLOYMENT_REVISIONS.name)
"""How far a Deployment is, and which versions of it there are."""
VIEW_BUCKETS: Final = (*DEVICE_BUCKETS, *ROLLOUT_BUCKETS)
"""Everything that the read model can show."""

_STATE_FIELDS: Final = frozenset({"reason", "cause", "restarts", "rtt", "deploy"})


def filter_buckets(text: str) -> tuple[str, ...]:
    """Return what a filter looks at; without states, which are most of the data, where it can.

    Raises:
        FilterError: it is no filter.
    """
    from fleet_core.view import parse_filter  # noqa: PLC0415 - a ping needs no read model

    fields = _fields(parse_filter(text).term)
    return DEVICE_BUCKETS if fields & _STATE_FIELDS else LABEL_BUCKETS


def _fields(term: Term | None) -> set[str]:
    """Return the fields of all conditions; a bare word looks at the worst reason too."""
    from fleet_core.view.filter_terms import Condition, Word  # noqa: PLC0415 - as above
    from fleet_core.view.filters import Not  # noqa: PLC0415 - as above

    match term:
        case None:
            return set()
        case Word():
            return {"reason"}
        case Condition(field=field):
            return {field.partition(":")[0]}
        case Not(term=inner):
            return _fields(inner)
        case _:
            return set().union(*(_fields(inner) for inner in term.terms))
