"""NATS from the handshake to what the server lets this device do, over one connection."""

from __future__ import annotations

from typing import Final

from fleet_agent.device.checks.finding import Finding, Subject, skip
from fleet_agent.device.checks.handshake import settings_of, shake_hands
from fleet_agent.device.checks.network import UNCONFIGURED, among
from fleet_agent.device.checks.rights import Complaints, check_rights
from fleet_agent.device.checks.sameness import check_sameness

_ABOUT: Final = "nats"
_NO_LINK: Final = "not looked at: there is no link to NATS"


async def check_nats(subject: Subject) -> list[Finding]:
    """Connect, try the rights, and ping this device."""
    config = subject.config
    if config is None:
        return [skip(_ABOUT, UNCONFIGURED)]
    complaints = Complaints()
    connections, found = await shake_hands(settings_of(config, complaints.take))
    found = among(found)
    if not connections:
        return [*found, skip("rights", _NO_LINK), skip("agent", _NO_LINK)]
    try:
        device_id = config.agent.device_id
        found += await check_rights(connections[0], device_id, complaints)
        found += await check_sameness(connections[0], device_id, complaints)
    finally:
        for connection in connections:
            await connection.close()
    return found
