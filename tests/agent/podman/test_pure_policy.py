"""Without podman: what a policy allows and refuses, in sentences that say how to change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_agent.runtime.contract import ContainerConfigError
from fleet_agent.runtime.policy import VOLUME_OPTIONS, DevicePolicy
from tests.agent.podman.containers import init, service

if TYPE_CHECKING:
    from pathlib import Path

STRICT = DevicePolicy()


def refusal(policy: DevicePolicy, **fields: Any) -> ContainerConfigError:
    with pytest.raises(ContainerConfigError) as refused:
        policy.check(service(**fields).container)
    with pytest.raises(ContainerConfigError) as again:
        policy.check(init("true", **fields).container)
    assert refused.value.message == again.value.message
    return refused.value


@pytest.mark.parametrize(
    ("fields", "what", "key"),
    [
        ({"privileged": True}, "privileged", "allow_privileged = true"),
        ({"network": "host"}, "the device's network", "allow_host_network = true"),
        ({"cap_add": ["SYS_ADMIN"]}, "the capability SYS_ADMIN", "allow_capabilities"),
        ({"volumes": ["/etc:/e"]}, "the device's path /etc", "allow_host_paths"),
    ],
)
def test_each_refusal_names_what_and_the_key(fields: dict[str, Any], what: str, key: str) -> None:
    error = refusal(STRICT, **fields)
    assert error.message == f"it asks for {what}, which this device does not allow"
    assert error.remedy == f"only [containers] {key} in the device's own configuration does"


def test_what_needs_no_leave_is_never_refused() -> None:
    fields = {
        "volumes": ["data:/data", "other.volume:/x:ro,z"],
        "tmpfs": ["/tmp:size=1g"],  # noqa: S108 - in the container
        "network": "none",
        "user": "0",
        "read_only_root": False,
        "resources": {"memory": "1Gi"},
    }
    STRICT.check(service(**fields).container)  # type: ignore[arg-type]


def test_what_is_allowed_passes_and_nothing_beside_it(tmp_path: Path) -> None:
    policy = DevicePolicy(
        privileged=False,
        host_network=True,
        host_paths=(str(tmp_path),),
        capabilities=frozenset(("NET_ADMIN",)),
    )
    volume = f"{tmp_path}/not/there/yet:/x:ro"
    policy.check(service(network="host", cap_add=["NET_ADMIN"], volumes=[volume]).container)
    assert "SYS_TIME" in refusal(policy, cap_add=["NET_ADMIN", "SYS_TIME"]).message
    assert "privileged" in refusal(policy, privileged=True).message
    assert "allow_host_paths" in refusal(policy, volumes=[volume, "/etc:/etc"]).remedy


def test_links_are_followed_on_both_sides(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "allowed").symlink_to("real")
    (tmp_path / "real" / "out").symlink_to("/")
    (tmp_path / "real" / "loop").symlink_to("loop")
    policy = DevicePolicy(host_paths=(f"{tmp_path}/allowed",))
    policy.check(service(volumes=[f"{tmp_path}/allowed/x:/x"]).container)
    for source in ("real/x", "allowed/out", "allowed/out/etc", "allowed/../real"):
        refusal(policy, volumes=[f"{tmp_path}/{source}:/x"])


@given(st.lists(st.sampled_from(["..", ".", "a", "b", "etc", "allowed"]), max_size=8))
def test_no_path_leads_out_of_what_is_allowed(parts: list[str]) -> None:
    policy = DevicePolicy(host_paths=("/no/such/allowed",))
    source = "/".join(["/no/such/allowed", *parts])
    if ".." in parts:
        refusal(policy, volumes=[f"{source}:/x"])
    else:
        policy.check(service(volumes=[f"{source}:/x"]).container)


@given(st.sets(st.sampled_from(sorted(VOLUME_OPTIONS)), max_size=4))
def test_known_options_pass_and_others_are_named(options: set[str]) -> None:
    known = ",".join(sorted(options))[:30].rstrip(",")
    words = set(known.split(",")) & VOLUME_OPTIONS
    written = f"data:/x:{','.join(sorted(words))}" if words else "data:/x"
    STRICT.check(service(volumes=[written]).container)
    for odd in ("exec", "shared", "RO", "upperdir"):
        error = refusal(STRICT, volumes=[f"data:/x:{odd}"])
        assert f"option {odd} is not known" in error.message
