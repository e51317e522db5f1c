"""The one registry of operations: the TUI's keys, palette and help, and the CLI's sub-commands."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from fleet_core.errors import NotFoundError
from fleet_core.operations.apply import Apply
from fleet_core.operations.delete import Delete
from fleet_core.operations.exec import Exec
from fleet_core.operations.logs import Logs
from fleet_core.operations.ping import Ping
from fleet_core.operations.redeploy import Redeploy
from fleet_core.operations.rollouts.telling import Abort, Pause, Promote, Resume, Revert
from fleet_core.operations.rollouts.undo import Undo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.operations.operation import Operation

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        operation.id: operation
        for operation in (
            *(Ping(), Logs(), Exec(), Redeploy(), Apply(), Delete()),
            *(Pause(), Resume(), Promote(), Abort(), Revert(), Undo()),
        )
    }
)
"""By id."""


def operation(name: str) -> Operation:
    """Return an operation; raises NotFoundError for an unknown id."""
    found = OPERATIONS.get(name)
    if found is None:
        raise NotFoundError(
            f"there is no operation {name[:32]!r}", remedy=f"one of: {', '.join(OPERATIONS)}"
        )
    return found
