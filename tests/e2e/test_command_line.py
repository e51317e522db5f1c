"""The ``fleet`` command against a live fleet: data on stdout, narration on stderr, exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.stack import eventually, manifest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.stack import Stack

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(30)]


async def test_devices_are_listed_filtered_and_as_json(stack: Stack) -> None:
    everyone = await stack.cli("get", "devices", "-o", "json")
    assert everyone.code == 0
    assert len(everyone.json()) == 30

    berlin = await stack.cli("get", "devices", "site=berlin", "-o", "json")
    assert len(berlin.json()) == len(stack.devices(site="berlin"))

    table = await stack.cli("get", "devices", "site=berlin")
    assert len(table.stdout.splitlines()) == 1 + len(berlin.json())


async def test_a_ping_is_answered_and_an_unknown_device_is_offline(stack: Stack) -> None:
    device = min(stack.devices())
    answered = await stack.cli("ping", device)
    assert answered.code == 0
    assert device in answered.stdout

    unanswered = await stack.cli("ping", device, "no-such-device", "-o", "json")
    assert unanswered.code == 1
    kinds = {result["target"]: result["kind"] for result in unanswered.json()}
    assert kinds == {device: "ok", "no-such-device": "offline"}


async def test_a_file_is_applied_described_and_deleted(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(manifest("shop"))

    asked = await stack.cli("apply", "-f", str(file))
    assert asked.code == 1
    assert "--yes" in asked.stderr

    applied = await stack.cli("apply", "-f", str(file), "--yes")
    assert applied.code == 0, applied.stderr
    await eventually(lambda: stack.running("shop") == stack.devices())
    await eventually(lambda: stack.counts("shop").get("succeeded") == 30)

    described = await stack.cli("describe", "deployment", "shop")
    assert described.code == 0
    assert "shop" in described.stdout

    device = min(stack.devices())
    logs = await stack.cli("logs", device, "shop")
    assert logs.stdout == f"web 1.4 listening on :80 on {device}\n"

    deleted = await stack.cli("delete", "deployment", "shop", "--yes")
    assert deleted.code == 0, deleted.stderr
    await eventually(lambda: not stack.telling("shop"))


async def test_failures_are_grouped(stack: Stack) -> None:
    init = "{name: migrate, image: 'registry.example/shop/migrate:1.4'}"
    paris = stack.devices(site="paris")
    await stack.apply(manifest("broken", init=init))
    await eventually(
        lambda: (found := stack.failure("broken")) is not None and len(found.devices) == len(paris)
    )

    listed = await stack.cli("get", "failures")

    assert listed.code == 0
    line = next(line for line in listed.stdout.splitlines() if "broken" in line)
    assert "exited 3" in line
    assert str(len(paris)) in line


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("get", "nothing"), 2, "invalid choice"),
        (("get", "devices", "site=("), 2, "fleet: "),
        (("apply", "-f", "no-such-file.yaml"), 2, "no-such-file.yaml"),
        (("describe", "deployment", "absent"), 1, "absent"),
        (("--nats", "nats://127.0.0.1:1", "get", "devices"), 3, "cannot connect"),
    ],
)
async def test_exit_codes_tell_what_to_do(
    stack: Stack, words: tuple[str, ...], code: int, said: str
) -> None:
    finished = await stack.cli(*words)
    assert finished.code == code
    assert said in finished.stderr
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr


async def test_a_malformed_file_is_refused_and_what_runs_goes_on(stack: Stack) -> None:
    await stack.apply(manifest("sound"))
    await eventually(lambda: stack.running("sound") == stack.devices())
    for malformed in ("\0", "a: [", manifest("sound").replace("name: web", "name: 'W B'")):
        refused = await stack.cli("apply", "-f", "-", "--yes", stdin=malformed)
        assert refused.code == 2, refused.stderr
    assert stack.running("sound") == stack.devices()
