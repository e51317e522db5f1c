"""Specs of containers for the tests on a real podman, and looking at and into what came of them."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from fleet_agent.runtime.contract import ContainerKey, ContainerSpec, Role
from fleet_core.contracts.containers import InitContainer, Service
from tests.support.podman import IMAGE

if TYPE_CHECKING:
    from fleet_agent.runtime.contract import ContainerRuntime, ExecOutcome
    from tests.support.podman import PodmanMachine

FOREVER = "trap 'exit 0' TERM; while true; do sleep 1000 & wait; done"
"""A service that ends at once when it is told to."""
SHOP = ContainerKey("shop", "web")
SERVES = "echo hello > /data/index.html; exec httpd -f -p {port} -h /data"
# The name server and the packet filter's chains are one for the machine, named as the networks are:
# test processes side by side must differ where a name or a published port is to be reached.
OURS, THEIRS = f"ours-{os.getpid()}", f"theirs-{os.getpid()}"
PREFIX = "fleet.nationtech.io"


def service(
    script: str = FOREVER, *, name: str = "web", deployment: str = "shop", **fields: Any
) -> ContainerSpec:
    """A service of `script`; ``attempt`` counts as a run's, the other fields as the score's."""
    run = {word: fields.pop(word) for word in ("attempt", "spec_hash") if word in fields}
    written = _written(script, name=name, **fields)
    return _spec(deployment, Service.model_validate_json(written), Role.SERVICE, **run)


def init(
    script: str, *, name: str = "migrate", deployment: str = "shop", **fields: Any
) -> ContainerSpec:
    written = _written(script, name=name, **fields)
    return _spec(deployment, InitContainer.model_validate_json(written), Role.INIT)


def _written(script: str, **fields: Any) -> str:
    return json.dumps({"image": IMAGE, "args": ["sh", "-c", script], **fields})


def _spec(
    deployment: str, container: InitContainer | Service, role: Role, **run: Any
) -> ContainerSpec:
    key = ContainerKey(deployment, container.name)
    values = {"spec_hash": "0123456789abcdef", "boot_id": "boot-1", "attempt": 0, **run}
    return ContainerSpec(key, container, role, **values)


def serving(port: int = 80, **fields: Any) -> ContainerSpec:
    """A service that answers HTTP with a greeting."""
    return service(SERVES.format(port=port), volumes=["data:/data"], stop_grace_s=0, **fields)


def label_flags(labels: dict[str, str]) -> list[str]:
    return [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]


def inspected(podman: PodmanMachine, name: str = SHOP.runtime_name) -> Any:
    return json.loads(podman.run("inspect", name))[0]


def names(podman: PodmanMachine) -> set[str]:
    """Return the names of all containers that are there, of whatever state."""
    return set(podman.run("ps", "--all", "--format", "{{.Names}}").split())


async def run(
    runtime: ContainerRuntime, script: str, key: ContainerKey = SHOP, timeout_s: float = 10
) -> ExecOutcome:
    """Run a script in a running container."""
    return await runtime.exec(key, ["sh", "-c", script], timeout_s, 1 << 20)


async def said(runtime: ContainerRuntime, script: str, key: ContainerKey = SHOP) -> str:
    """Return what a script in a running container writes, stripped; it must succeed."""
    outcome = await run(runtime, script, key)
    assert outcome.exit_code == 0, outcome
    return outcome.stdout.decode().strip()


async def answer(runtime: ContainerRuntime, spec: ContainerSpec) -> tuple[int, str]:
    """Run an init container to its end; returns its exit code and its log."""
    outcome: Any = await runtime.run_to_completion(spec, 20)
    return outcome.exit_code, "\n".join(line.text for line in outcome.log)


def process_status(text: str) -> dict[str, str]:
    """Return the fields of /proc/<pid>/status."""
    return dict(re.findall(r"^(\w+):\s*(.*?)\s*$", text, re.MULTILINE))
