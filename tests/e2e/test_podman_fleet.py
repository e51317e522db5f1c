"""A whole fleet with real containers: applied, failed, mended, watched and deleted by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.podman_agent import PodmanAgent
from tests.agent.wire import DEVICE
from tests.support.podman import IMAGE
from tests.support.stack import eventually, manifest, running_stack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(90)]

SERVE = "[sh, -c, 'echo serving; exec sleep 1000']"


def shop(migration: str) -> str:
    """Return a web service whose migration is a shell command."""
    init = f"{{name: migrate, image: '{IMAGE}', args: [sh, -c, '{migration}']}}"
    return manifest("shop", init=init, image=IMAGE).replace(
        f'image: "{IMAGE}",', f'image: "{IMAGE}", args: {SERVE},'
    )


async def test_a_migration_fails_is_mended_and_its_service_taken_away(
    podman: PodmanMachine, tmp_path: Path
) -> None:
    async with running_stack(None) as stack:
        agent = PodmanAgent(podman, stack.url, tmp_path)
        await agent.start()
        try:
            await eventually(lambda: stack.devices() == {DEVICE})
            await stack.apply(shop("echo no such table; exit 3"))
            await eventually(lambda: stack.failure("shop") is not None)

            failures = await stack.cli("get", "failures")
            assert "migrate" in failures.stdout
            assert "exited 3" in failures.stdout
            logs = await stack.cli("logs", DEVICE, "shop/migrate")
            assert logs.stdout == "no such table\n"
            assert set(agent.containers()) == {"fleet-shop.migrate"}

            await stack.apply(shop("echo migrated"))
            await eventually(lambda: stack.counts("shop").get("succeeded") == 1)

            inside = await stack.cli("exec", DEVICE, "-d", "shop", "--yes", "--", "id", "-u")
            assert inside.stdout == "0\n", inside.stderr
            assert agent.containers()["fleet-shop.web"]["State"] == "running"

            await stack.delete("shop")
            await eventually(lambda: not agent.containers())
        finally:
            await agent.end()
