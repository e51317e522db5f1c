"""Puts this device's agent together, as its configuration says, and runs it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleet_agent import __version__
from fleet_agent.agent import Agent, AgentOptions, DeviceIdentity, Link
from fleet_agent.inventory import read_boot_id, read_inventory
from fleet_agent.keeping import open_keeper
from fleet_agent.runtime.chosen import chosen_runtime, describe
from fleet_core.messaging import ConnectionSettings, LatestWriter, connect

if TYPE_CHECKING:
    from fleet_agent.config_model import AgentConfig


def link_settings(config: AgentConfig) -> ConnectionSettings:
    """Return how the agent connects; its inbox is one that other devices may not listen on."""
    credentials = config.credentials
    return ConnectionSettings(
        servers=tuple(dict.fromkeys(config.nats.urls)),
        name=f"fleet-agent {config.agent.device_id}",
        user=credentials.user if credentials else None,
        password=credentials.password.get_secret_value() if credentials else None,
        inbox_prefix=f"_INBOX_{config.agent.device_id}",
        connect_timeout_s=config.nats.connect_timeout_s,
    )


async def run_agent(config: AgentConfig) -> None:
    """Run the agent until cancelled; its containers then go on running.

    Raises:
        InvalidInputError: the state folder is another device's.
    """
    options = AgentOptions(
        keeper=await asyncio.to_thread(open_keeper, config.agent),
        heartbeat_interval_s=config.agent.heartbeat_interval_s,
        drift_interval_s=config.agent.drift_interval_s,
        exec_level=config.containers.exec,
    )
    async with await connect(link_settings(config), wait=False) as connection:
        runtime = chosen_runtime(config)
        identity = DeviceIdentity(
            config.agent.device_id,
            config.labels,
            __version__,
            read_boot_id(),
            read_inventory(runtime=await describe(runtime)),
        )
        writer = LatestWriter(connection)
        agent = Agent(identity, Link(connection, writer), runtime, options=options)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(writer.run())
                group.create_task(agent.run())
        finally:
            if runtime is not None:
                await runtime.close()
