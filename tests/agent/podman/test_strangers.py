"""On a real podman: containers that somebody else made, and labels that nobody may trust."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import ContainerKey, RunState
from tests.agent.podman.containers import (
    FOREVER,
    PREFIX,
    SHOP,
    init,
    inspected,
    label_flags,
    names,
    service,
)
from tests.support.podman import IMAGE
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]
LONG = "9" * 5_000
TORN: dict[str, dict[str, str]] = {
    "only the deployment": {"container": "", "role": "", "spec-hash": "", "boot-id": ""},
    "an empty container": {"container": ""},
    "another role": {"role": "boss"},
    "attempt is no number": {"attempt": "many"},
    "attempt below zero": {"attempt": "-1"},
    "attempt beyond bounds": {"attempt": LONG},
    "attempt in other digits": {"attempt": "٣"},
    "another hash": {"spec-hash": "../../etc"},
    "another boot": {"boot-id": "\n"},
}


def labels(**changes: str) -> dict[str, str]:
    """The labels of the very run that the tests ask for, with changes."""
    return {**service().labels, **{f"{PREFIX}/{name}": value for name, value in changes.items()}}


def by_hand(podman: PodmanMachine, name: str, marked: dict[str, str], verb: str = "run") -> str:
    flags = ["--network", "none", *(["--detach"] if verb == "run" else [])]
    words = [verb, *flags, "--name", name, *label_flags(marked), IMAGE, "sh", "-c", FOREVER]
    return podman.run(*words).strip()


@pytest.mark.parametrize("case", TORN)
async def test_torn_labels_break_no_list_and_are_not_this_run(
    runtime: PodmanRuntime, podman: PodmanMachine, case: str
) -> None:
    changed = {f"{PREFIX}/{name}": value for name, value in TORN[case].items()}
    identifier = by_hand(podman, SHOP.runtime_name, {**labels(), **changed})
    neighbour = await runtime.ensure_service_running(service(deployment="other"))
    listed = await runtime.list_managed_services()
    assert neighbour.key in {found.key for found in listed}
    await runtime.list_init_containers()
    found = await runtime.container_status(SHOP)
    assert found is None or not service().is_same_run(found)
    replaced = await runtime.ensure_service_running(service())
    assert replaced.container_id != identifier
    assert names(podman) == {SHOP.runtime_name, "fleet-other.web"}


@pytest.mark.parametrize("grace", ["", "soon", "-5", LONG, "999999999"])
async def test_a_hostile_grace_holds_up_nothing(
    runtime: PodmanRuntime, podman: PodmanMachine, grace: str
) -> None:
    by_hand(podman, SHOP.runtime_name, labels(**{"stop-grace-s": grace}))
    await runtime.stop(SHOP)
    found = await runtime.container_status(SHOP)
    assert found is not None
    assert found.state is RunState.EXITED


async def test_labels_of_ours_on_a_container_of_another_name_make_it_no_service_of_ours(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    ours = await runtime.ensure_service_running(service())
    theirs = by_hand(podman, "theirs", labels())
    (listed,) = await runtime.list_managed_services()
    assert listed == ours
    await runtime.remove(SHOP)
    assert await runtime.list_managed_services() == []
    assert inspected(podman, "theirs")["Id"] == theirs
    assert inspected(podman, "theirs")["State"]["Running"]


@pytest.mark.parametrize("deployment", ["../etc", "a.b", "Shop", "*", "x" * 300, "ü", "a b"])
async def test_names_that_no_deployment_can_have_are_nobodys(
    runtime: PodmanRuntime, podman: PodmanMachine, deployment: str
) -> None:
    by_hand(podman, "stranger", labels(deployment=deployment), "create")
    assert await runtime.list_managed_services() == []
    assert await runtime.list_init_containers() == []


async def test_a_container_of_our_name_without_our_labels_gives_way(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    stranger = by_hand(podman, SHOP.runtime_name, {})
    assert await runtime.container_status(SHOP) is None
    ours = await runtime.ensure_service_running(service())
    assert ours.container_id != stranger


async def test_strangers_are_left_alone(runtime: PodmanRuntime, podman: PodmanMachine) -> None:
    strangers = {name: by_hand(podman, name, {"who": name}) for name in ("one", "fleet-ish", "web")}
    await runtime.ensure_service_running(service())
    await runtime.run_to_completion(init("true"), 5)
    await runtime.stop(SHOP)
    for key in (SHOP, init("").key, ContainerKey("shop", "absent")):
        await runtime.remove(key)
    await runtime.forget_deployment("shop")
    await runtime.forget_deployment("ish")
    told = json.loads(podman.run("ps", "--format", "json"))
    assert {each["Names"][0]: each["Id"] for each in told} == strangers


async def test_made_and_never_started_it_is_seen_so_and_started(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    """The agent was killed in between."""
    identifier = by_hand(podman, SHOP.runtime_name, labels(), "create")
    (listed,) = await runtime.list_managed_services()
    assert (listed.state, listed.started_at_s, listed.exit_code) == (RunState.UNSTARTED, None, None)
    found = await runtime.ensure_service_running(service())
    assert (found.state, found.container_id) == (RunState.RUNNING, identifier)


async def test_made_and_never_started_for_another_run_it_is_replaced(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    identifier = by_hand(podman, SHOP.runtime_name, labels(attempt="7"), "create")
    found = await runtime.ensure_service_running(service())
    assert (found.state, found.attempt) == (RunState.RUNNING, 0)
    assert found.container_id != identifier


async def test_removed_by_hand_while_it_is_waited_for_its_end_is_not_known(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    await runtime.ensure_service_running(service())
    podman.run("rm", "--force", "--time", "0", SHOP.runtime_name)

    async def gone() -> object:
        return await runtime.container_status(SHOP)

    await eventually_reads(gone, None)
    assert await runtime.list_managed_services() == []
