"""The door: whatever bytes arrive, the answer is a model or one refusal, never anything else."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.devices import (
    HEARTBEAT_MAX_BYTES,
    DeviceInfo,
    DeviceManifest,
    Heartbeat,
    encode_heartbeat,
    is_heartbeat_of,
)
from fleet_core.contracts.names import is_dns_label
from fleet_core.contracts.schemas import PAYLOADS, json_schema
from fleet_core.contracts.states import DeploymentState
from fleet_core.errors import InvalidInputError, NotFoundError
from tests.contracts.strategies import dns_labels, moments

MODELS = sorted(PAYLOADS)


@given(st.sampled_from(MODELS), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(name: str, payload: bytes) -> None:
    with contextlib.suppress(InvalidInputError):
        read = decode(PAYLOADS[name], payload)
        assert decode(PAYLOADS[name], encode(read)) == read


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"\xff\xfe{}", id="not UTF-8"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[" * 100_000, id="deeply nested"),
        pytest.param(b'{"a":' * 50_000, id="deeply nested objects"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"NaN", id="not a number"),
        pytest.param(b" " * (2 * 1024 * 1024), id="2 MiB"),
    ],
)
def test_every_payload_refuses_what_is_no_payload(name: str, payload: bytes) -> None:
    with pytest.raises(InvalidInputError):
        decode(PAYLOADS[name], payload)


def test_a_nul_is_refused_wherever_it_hides() -> None:
    payload = b'{"device_id":"van-1","agent_version":"1","x":[{"deep":"a\\u0000b"}]}'
    with pytest.raises(InvalidInputError, match="NUL"):
        decode(DeviceInfo, payload)


def test_the_text_backslash_u0000_is_not_a_nul() -> None:
    payload = json.dumps({"device_id": "van-1", "agent_version": "\\u0000"}).encode()
    assert decode(DeviceInfo, payload).agent_version == "\\u0000"


def test_moments_are_kept_in_utc_and_need_an_offset() -> None:
    state = {"device_id": "van-1", "deployment": "web", "phase": "Running"}
    late = json.dumps({**state, "last_event_at": "2026-03-01T12:00:00+02:00"}).encode()
    assert decode(DeploymentState, late).last_event_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert b'"last_event_at":"2026-03-01T10:00:00Z"' in encode(decode(DeploymentState, late))
    with pytest.raises(InvalidInputError) as refusal:
        decode(DeploymentState, late.replace(b"+02:00", b""))
    assert refusal.value.path == "last_event_at"


@pytest.mark.parametrize(
    "labels", [{"site": "a b"}, {"site": "\x1b[2J"}, {"": "x"}, {"a/b/c": "x"}, {"site": "x" * 64}]
)
def test_labels_that_kubernetes_would_refuse_are_refused(labels: dict[str, str]) -> None:
    payload = {"device_id": "van-1", "agent_version": "1", "labels": labels}
    with pytest.raises(InvalidInputError) as refusal:
        decode(DeviceInfo, json.dumps(payload).encode())
    assert refusal.value.path.startswith("labels")


@pytest.mark.parametrize("name", ["", "A", "a.b", "-a", "a-", "a*", ">", "a b", "a\n", "x" * 64])
def test_no_device_has_such_an_id(name: str) -> None:
    assert not is_dns_label(name)


def test_a_manifest_names_at_most_a_thousand_deployments() -> None:
    entry = {"generation": 1, "spec_hash": "0" * 16}
    names = {f"d-{index}": entry for index in range(1_001)}
    with pytest.raises(InvalidInputError) as refusal:
        decode(DeviceManifest, json.dumps({"generation": 1, "deployments": names}).encode())
    assert refusal.value.path == "deployments"


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True), moments)
def test_a_heartbeat_is_under_96_bytes_whatever_the_id(device_id: str, at: datetime) -> None:
    payload = encode_heartbeat(device_id, at)
    assert len(payload) <= HEARTBEAT_MAX_BYTES < 96
    assert is_heartbeat_of(payload, device_id)
    assert decode(Heartbeat, payload).at in (at.replace(microsecond=0), None)


def test_a_heartbeat_tells_the_moment_in_utc() -> None:
    paris = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    assert b'"at":"2026-03-01T11:00:00Z"' in encode_heartbeat("van-1", paris)


@given(dns_labels, dns_labels)
def test_a_heartbeat_of_another_device_is_told_apart(one: str, other: str) -> None:
    payload = encode_heartbeat(one, datetime(2026, 3, 1, tzinfo=UTC))
    assert is_heartbeat_of(payload, other) == (one == other)
    assert not is_heartbeat_of(payload[:-1], one)
    assert not is_heartbeat_of(payload + b" " * 96, one)


@pytest.mark.parametrize("name", MODELS)
def test_every_payload_has_a_schema(name: str) -> None:
    schema = json_schema(name)
    assert schema["type"] == "object"
    assert schema["properties"]


def test_an_unknown_schema_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(NotFoundError, match="device-info"):
        json_schema("nope")
