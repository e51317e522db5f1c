"""``fleet operator``: the control plane, until it is told to end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

from fleet_core.cli.output import narrate
from fleet_core.cli.sessions import context_of

if TYPE_CHECKING:
    import argparse


async def operator(options: argparse.Namespace) -> NoReturn:
    """Run the operator; a signal ends it, and whatever it was doing is done by the next one."""
    from fleet_core.operator.service import serve  # noqa: PLC0415 - only where it runs

    logging.getLogger("fleet_core.operator").setLevel(logging.INFO)
    settings = context_of(options).settings("fleet-operator")
    narrate(f"operator: NATS at {settings.where()}")
    await serve(settings, heartbeat_interval_s=options.heartbeat_interval_s)
    raise AssertionError("the operator ends by being cancelled")
