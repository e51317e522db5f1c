"""On a real podman: which program runs, as whom, where, with what words and surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import ContainerStartError, RunState
from tests.agent.podman.containers import answer, init, inspected, names, said, service

if TYPE_CHECKING:
    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]


async def test_the_environment_reaches_the_program_as_it_is_written(
    runtime: PodmanRuntime,
) -> None:
    env = {"PLAIN": "1", "EMPTY": "", "ODD.NAME": "x", "TEXT": "a b=c 'd' \"e\" $F \n ü"}
    code, log = await answer(runtime, init("", args=["cat", "/proc/self/environ"], env=env))
    assert code == 0
    found = log.split("\0")
    assert {f"{name}={value}" for name, value in env.items()} <= set(found)
    assert "HOSTNAME=migrate" in found


async def test_args_stand_in_place_of_the_images_command_word_by_word(
    runtime: PodmanRuntime,
) -> None:
    words = ["a b", "", "$HOME", "-x", "üñ", "'quoted'"]
    script = 'for word in "$@"; do echo "<$word>"; done'
    spec = init("", args=["sh", "-c", script, "name", *words])
    assert await answer(runtime, spec) == (0, "\n".join(f"<{word}>" for word in words))


async def test_an_entrypoint_stands_in_place_of_the_images_and_args_follow_it(
    runtime: PodmanRuntime,
) -> None:
    spec = init("", entrypoint=["/bin/echo", "-n", "entry"], args=["args"])
    assert await answer(runtime, spec) == (0, "entry args")
    alone = init("", name="alone", entrypoint=["/bin/echo", "alone"], args=[])
    assert await answer(runtime, alone) == (0, "alone")


@pytest.mark.parametrize(
    ("user", "expected"), [("1000", "1000 0"), ("1000:2000", "1000 2000"), ("0:5", "0 5")]
)
async def test_the_user_and_group_by_number(
    runtime: PodmanRuntime, user: str, expected: str
) -> None:
    assert await answer(runtime, init("echo $(id -u) $(id -g)", user=user)) == (0, expected)


async def test_a_user_that_the_image_does_not_know_is_a_start_error_that_names_it(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    with pytest.raises(ContainerStartError, match="nobody-here"):
        await runtime.run_to_completion(init("true", user="nobody-here"), 5)
    assert names(podman) == set()


async def test_the_working_directory(runtime: PodmanRuntime) -> None:
    assert await answer(runtime, init("pwd", working_dir="/data")) == (0, "/data")


async def test_a_root_that_may_be_written_where_the_score_says_so(runtime: PodmanRuntime) -> None:
    script = "touch /etc/mine && echo written"
    assert await answer(runtime, init(script, read_only_root=False)) == (0, "written")
    code, _ = await answer(runtime, init(script, name="other"))
    assert code == 1


async def test_its_labels_and_its_names_say_whose_it_is(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    spec = service(attempt=3)
    found = await runtime.ensure_service_running(spec)
    assert (found.state, found.attempt, found.key) == (RunState.RUNNING, 3, spec.key)
    told = inspected(podman)
    assert spec.labels.items() <= told["Config"]["Labels"].items()
    assert await said(runtime, "echo $HOSTNAME; cat /etc/hostname") == "web\nweb"
    assert told["HostConfig"]["RestartPolicy"]["Name"] in {"", "no"}
    assert told["Id"] == found.container_id


async def test_a_changed_environment_is_in_the_replacement(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(service(env={"VERSION": "1"}))
    await runtime.ensure_service_running(service(env={"VERSION": "2"}, spec_hash="f" * 16))
    assert await said(runtime, "echo $VERSION") == "2"
