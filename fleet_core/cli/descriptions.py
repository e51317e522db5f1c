"""What ``fleet describe`` says to a person: indented lines, containers in Kubernetes' words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.contracts.text import printable, printable_lines
from fleet_core.operations.durations import duration_text
from fleet_core.operations.rollouts.words import condition_lines, phase_words, ref_words, why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from fleet_core.contracts.states import ContainerStatus, DeploymentState
    from fleet_core.operations.inspect import Inspection
    from fleet_core.view import DeploymentRow

_WIDTH = 16


def device_lines(found: Inspection, now_s: float) -> list[str]:
    """Return a device: facts, labels, and each deployment with its containers."""
    return list(_device(found, now_s))


def _device(found: Inspection, now_s: float) -> Iterator[str]:
    yield _field("Device", found.device_id)
    heard = found.heartbeat_received_at_s
    yield _field("Last heartbeat", f"{duration_text(now_s - heard)} ago" if heard else "never")
    if found.info is not None:
        yield _field("Agent", found.info.agent_version)
        yield _field("Boot", found.info.boot_id)
        labels = " ".join(f"{name}={value}" for name, value in sorted(found.info.labels.items()))
        yield _field("Labels", labels or "none")
        facts = found.info.inventory.model_dump(exclude_none=True)
        yield from (
            _field(name.replace("_", " ").capitalize(), value) for name, value in facts.items()
        )
    if found.manifest is not None:
        yield _field("Manifest", f"generation {found.manifest.generation}")
    for problem in found.problems:
        yield _field("Refused", problem)
    deployments = found.manifest.deployments if found.manifest is not None else {}
    if not deployments:
        yield _field("Deployments", "none")
    for name, wanted in sorted(deployments.items()):
        yield ""
        yield _field("Deployment", name)
        state = found.states.get(name)
        observed = "nothing reported yet"
        if state is not None:
            same = state.spec_hash == wanted.spec_hash
            observed = (
                f"generation {state.generation} {'(as wanted)' if same else '(another spec)'}"
            )
        yield _field("  Wanted", f"generation {wanted.generation} spec {wanted.spec_hash}")
        yield _field("  Observed", observed)
        if state is not None:
            yield from _state(state, now_s)


def _state(state: DeploymentState, now_s: float) -> Iterator[str]:
    yield _field("  Phase", f"{state.phase} {state.reason}".strip())
    yield _field("  Last event", f"{_ago(state.last_event_at, now_s)} by the device's clock")
    if state.last_error:
        yield _field("  Error", state.last_error)
    for kind, statuses in (
        ("Init container", state.init_container_statuses),
        ("Container", state.container_statuses),
    ):
        for status in statuses:
            yield _field(f"  {kind}", f"{status.name}: {container_words(status)}")
    if state.failure is not None and state.failure.log:
        yield _field("  Log", f"the last lines of {state.failure.container}")
        yield from (f"    | {line}" for line in printable_lines(state.failure.log))


def container_words(status: ContainerStatus) -> str:
    """Return a container's state in one line."""
    state = status.state
    if state.running is not None:
        words = "running, ready" if status.ready else "running, not ready"
    elif state.terminated is not None:
        words = f"{state.terminated.reason or 'terminated'}, exit code {state.terminated.exit_code}"
    else:
        waiting = state.waiting
        words = f"waiting: {waiting.reason or 'not started'}" if waiting is not None else "waiting"
        if waiting is not None and waiting.message:
            words += f" ({waiting.message})"
    last = status.last_state.terminated
    if last is not None and state.terminated is None:
        words += f"; before: {last.reason or 'terminated'}, exit code {last.exit_code}"
    return f"{words}; {status.restart_count} restarts" if status.restart_count else words


def deployment_lines(row: DeploymentRow, now_s: float) -> list[str]:
    """Return a deployment: whom it selects, how far they are, what it runs."""
    resource, counts = row.resource, row.aggregate
    created = resource.metadata.creation_timestamp
    lines = [
        _field("Deployment", f"{row.namespace}/{row.name}"),
        _field("Selector", row.selector),
        _field("Generation", f"{resource.metadata.generation}, observed {row.observed_generation}"),
        _field("Spec", row.spec_hash),
        _field("Created", _ago(created, now_s) if created is not None else "unknown"),
        _field("Matched", counts.matched_device_count),
        _field("Succeeded", counts.succeeded),
        _field("Pending", counts.pending),
        _field("Failed", counts.failed),
        _field("Offline", counts.offline),
    ]
    error = counts.last_error
    if error is not None:
        lines.append(_field("Last error", f"{error.device_id}: {error.message}"))
    rollout = row.status.rollout
    if rollout is not None:
        lines.append(
            _field("Rollout", ": ".join(filter(None, (phase_words(rollout), why(rollout)))))
        )
        lines.append(_field("Version", ref_words(rollout.update)))
    lines += [_field("Condition", line) for line in condition_lines(row.status.conditions)]
    data = resource.spec.score.data
    lines += [_field("Init container", f"{c.name}: {c.image}") for c in data.init_containers]
    lines += [_field("Container", f"{c.name}: {c.image}") for c in data.services]
    return lines


def _field(name: str, value: object) -> str:
    return f"{f'{name}:':<{_WIDTH}} {printable(str(value), 1_000)}"


def _ago(moment: datetime, now_s: float) -> str:
    return f"{duration_text(max(0.0, now_s - moment.timestamp()))} ago"
