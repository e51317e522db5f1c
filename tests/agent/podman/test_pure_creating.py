"""Without podman: what it is told to create, and what its refusals mean."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from fleet_agent.runtime.contract import (
    ContainerConfigError,
    ContainerStartError,
    ImageNotFoundError,
)
from fleet_agent.runtime.podman.creating import create_body, port_mapping, signal_number
from fleet_agent.runtime.podman.refusals import create_error, start_error
from fleet_core.contracts.containers import Port
from tests.agent.podman.containers import init, service

PORT: TypeAdapter[str] = TypeAdapter(Port)


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ("80", {"container_port": 80, "protocol": "tcp"}),
        ("8080:80", {"container_port": 80, "host_port": 8080, "protocol": "tcp"}),
        ("53:5353/udp", {"container_port": 5353, "host_port": 53, "protocol": "udp"}),
        ("127.0.0.1:80", {"container_port": 80, "host_ip": "127.0.0.1", "protocol": "tcp"}),
        (
            "10.0.0.1:8080:80/tcp",
            {"container_port": 80, "host_port": 8080, "host_ip": "10.0.0.1", "protocol": "tcp"},
        ),
    ],
)
def test_a_port_as_podman_takes_it(port: str, expected: dict[str, Any]) -> None:
    assert port_mapping(port) == expected


@given(
    st.none() | st.ip_addresses(v=4).map(str),
    st.none() | st.integers(1, 99_999),
    st.integers(1, 99_999),
    st.sampled_from(["", "/tcp", "/udp"]),
)
def test_every_port_that_a_score_may_have_comes_out_as_it_went_in(
    address: str | None, host: int | None, port: int, protocol: str
) -> None:
    written = "".join(f"{part}:" for part in (address, host) if part is not None)
    mapping = port_mapping(PORT.validate_python(f"{written}{port}{protocol}"))
    found = (mapping.get("host_ip"), mapping.get("host_port"), mapping["container_port"])
    assert found == (address, host, port)
    assert mapping["protocol"] == (protocol[1:] or "tcp")


def test_what_is_no_port_is_refused() -> None:
    for text in ("", "x", "1:2:3", "80/"):
        with pytest.raises(ValueError, match="not a port"):
            port_mapping(text)


def test_by_default_nothing_is_allowed_and_nothing_restarts() -> None:
    body = create_body(service())
    assert (body["cap_drop"], body["cap_add"], body["no_new_privileges"]) == (["all"], [], True)
    assert (body["read_only_filesystem"], body["read_write_tmpfs"]) == (True, False)
    assert (body["restart_policy"], body["healthconfig"]) == ("no", {"Test": ["NONE"]})
    assert body["resource_limits"] == {"pids": {"limit": 2048}}
    assert body["netns"] == {"nsmode": "bridge"}
    assert list(body["networks"]) == ["fleet-shop"]
    assert not {"privileged", "user", "entrypoint", "work_dir", "stop_signal"} & body.keys()


def test_what_is_asked_for_is_in_the_body() -> None:
    body = create_body(
        service(
            user="1000",
            entrypoint=["/bin/x"],
            working_dir="/data",
            stop_signal="SIGQUIT",
            cap_add=["NET_ADMIN", "SYS_TIME"],
            read_only_root=False,
            resources={"cpu": 1.5, "memory": "64Mi", "pids": 5},
            volumes=["data:/data:ro,nosuid", "/srv:/srv"],
            tmpfs=["/run:size=1m"],
        )
    )
    assert (body["user"], body["entrypoint"], body["work_dir"]) == ("1000", ["/bin/x"], "/data")
    assert body["stop_signal"] == signal.SIGQUIT
    assert body["cap_add"] == ["CAP_NET_ADMIN", "CAP_SYS_TIME"]
    assert not body["read_only_filesystem"]
    assert body["resource_limits"] == {
        "pids": {"limit": 5},
        "memory": {"limit": 64 * 2**20},
        "cpu": {"quota": 150_000, "period": 100_000},
    }
    (volume,) = body["volumes"]
    assert volume == {"Name": "fleet-shop.data", "Dest": "/data", "Options": ["ro", "nosuid"]}
    bind, tmpfs = body["mounts"]
    assert (bind["source"], bind["options"]) == ("/srv", ["rbind"])
    assert (tmpfs["type"], tmpfs["destination"], tmpfs["options"]) == ("tmpfs", "/run", ["size=1m"])


def test_a_container_off_the_deployments_network_joins_none() -> None:
    for network in ("host", "none"):
        body = create_body(init("true", network=network))
        assert body["netns"] == {"nsmode": network}
        assert not {"networks", "portmappings", "sysctl"} & body.keys()


@pytest.mark.parametrize(
    ("name", "number"),
    [("SIGTERM", 15), ("SIGKILL", 9), ("SIGRTMIN+3", 37), ("SIGRTMAX-1", 63), ("SIGRTMIN", 34)],
)
def test_signals_are_numbers(name: str, number: int) -> None:
    assert signal_number(name) == number


@pytest.mark.parametrize("name", ["SIGNEVER", "SIGRTMIN+", "SIG+-+", "SIGRTMAX+9", "SIGHUP-1"])
def test_what_is_no_signal_is_refused(name: str) -> None:
    with pytest.raises(ContainerConfigError, match="no such signal"):
        signal_number(name)


@pytest.mark.parametrize(
    ("said", "exit_code"),
    [
        ('exec: "x": executable file not found in $PATH: OCI runtime attempted to …', 127),
        ("crun: executable file `x` not found in $PATH: No such file: OCI runtime …", 127),
        ("runc: permission denied: OCI permission denied", 126),
        ("exec format error: OCI runtime error", 126),
        ("netavark: listen tcp: bind: address already in use", 125),
        ("network not found", 125),
        ("", 125),
    ],
)
def test_a_refused_start_has_podmans_exit_code(said: str, exit_code: int) -> None:
    assert start_error(said).exit_code == exit_code


def test_a_refused_creation_is_an_absent_image_or_not() -> None:
    error = create_error("web:1", "web:1: image not known")
    assert isinstance(error, ImageNotFoundError)
    assert error.message == "web:1: not on this device"
    assert isinstance(create_error("web:1", "no space left on device"), ContainerStartError)
