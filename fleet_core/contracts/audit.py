"""Audit records: who did what, to which devices, with what result."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from fleet_core.contracts.base import Timestamp, Wire
from fleet_core.contracts.commands import RequestId
from fleet_core.contracts.names import Text

Count = Annotated[int, Field(ge=0)]


class AuditRecord(Wire):
    """One operation that changed the fleet; appended when it has ended."""

    id: RequestId
    at: Timestamp
    actor: Annotated[Text, Field(max_length=256)]
    """Who: the account and host it was done from, as the operator's machine tells them."""
    operation: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,31}$")]
    target: Annotated[Text, Field(max_length=1_024)]
    """What it was done to: a Deployment, a filter, or a list of devices."""
    matched: Count
    """Devices that the plan named."""
    succeeded: Count = 0
    failed: Count = 0
    offline: Count = 0
    command: Annotated[Text, Field(max_length=4_096)]
    """The same thing as a ``fleet …`` command line."""
    result: Annotated[str, StringConstraints(pattern=r"^(ok|failed|partial|cancelled)$")]
    detail: Annotated[Text, Field(max_length=1_024)] = ""
