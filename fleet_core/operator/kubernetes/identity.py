"""Which cluster this is: what another one lacks must not be taken for deleted."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from fleet_core.cluster import paths
from fleet_core.cluster.known import uid_of
from fleet_core.errors import CannotConnectError, FleetError

if TYPE_CHECKING:
    from fleet_core.cluster.client import ClusterClient

_log = logging.getLogger(__name__)

_RETRY_S: Final = 2.0


async def identity_of(client: ClusterClient) -> str:
    """Return the uid of the namespace ``kube-system``: a cluster keeps it for as long as it lives.

    Waits for the API server. Empty where we may not read it: then nothing counts as deleted unseen.
    """
    while True:
        try:
            found = await client.get(paths.namespace("kube-system"))
        except CannotConnectError as error:
            _log.warning("%s", error)
            await asyncio.sleep(_RETRY_S)
        except FleetError as error:
            _log.warning("which cluster this is cannot be told: %s", error)
            return ""
        else:
            return uid_of(found) if found is not None else ""
