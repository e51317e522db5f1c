"""What is read in a hurry is what the contract's own models read, and refused where they refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.devices import (
    DeviceInfo,
    DeviceManifest,
    encode_heartbeat,
    is_heartbeat_of,
)
from fleet_core.errors import InvalidInputError
from fleet_core.view.digests import (
    ManifestReader,
    digest_info,
    digest_state,
    is_heartbeat,
    restarts_of,
)
from fleet_core.view.summary import is_failing, is_failing_digest
from tests.contracts.strategies import device_infos, dns_labels, json_values, manifests, states
from tests.view.fleets import NOW_S, FedView, moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_core.contracts.states import DeploymentState


@given(states)
def test_a_state_reads_as_the_contract_reads_it(state: DeploymentState) -> None:
    digest = digest_state(encode(state))
    assert digest["device_id"] == state.device_id
    assert digest["deployment"] == state.deployment
    assert digest["phase"] is state.phase
    assert digest["last_event_at"] == state.last_event_at
    assert digest.get("generation") == state.generation
    assert digest.get("spec_hash") == state.spec_hash
    assert digest.get("reason") == state.reason
    assert restarts_of(digest) == state.restart_count
    assert is_failing_digest(digest) == is_failing(state)


@given(device_infos)
def test_an_info_reads_as_the_contract_reads_it(info: DeviceInfo) -> None:
    digest = digest_info(encode(info))
    assert digest["device_id"] == info.device_id
    assert digest.get("labels") == info.labels
    assert digest["agent_version"] == info.agent_version


@given(manifests)
def test_a_manifest_reads_as_the_contract_reads_it_known_or_not(manifest: DeviceManifest) -> None:
    reader = ManifestReader()
    for generation in (manifest.generation, 7):
        again = manifest.model_copy(update={"generation": generation})
        desired, interval_s = reader.read(encode(again))
        assert interval_s == manifest.heartbeat_interval_s
        assert {name: (row.generation, row.spec_hash) for name, row in desired.items()} == {
            name: (entry.generation, entry.spec_hash)
            for name, entry in manifest.deployments.items()
        }


def test_devices_that_run_the_same_share_what_is_desired() -> None:
    reader = ManifestReader()
    entry = {"generation": 1, "spec_hash": "0" * 16}
    bodies = [
        encode(decode(DeviceManifest, manifest_json(generation, {"web": entry})))
        for generation in (1, 2)
    ]
    first, second = (reader.read(body)[0] for body in bodies)
    assert first is second


def manifest_json(generation: int, deployments: Any) -> bytes:
    return json.dumps({"generation": generation, "deployments": deployments}).encode()


@given(dns_labels, dns_labels)
def test_a_heartbeat_is_one_where_the_contract_says_so(one: str, other: str) -> None:
    payload = encode_heartbeat(one, moment(NOW_S))
    assert is_heartbeat(payload, one)
    assert is_heartbeat(payload, other) == is_heartbeat_of(payload, other)
    assert not is_heartbeat(payload[:-1], one)
    assert not is_heartbeat(payload + b" " * 96, one)


HOSTILE = [
    b"",
    b"\xff\xfe",
    b"null",
    b"[" * 100_000,
    b'{"device_id": 5}',
    b'{"device_id": "a", "deployment": "web", "phase": "Dancing"}',
    b'{"device_id": "a", "deployment": "web", "phase": "Running", "last_event_at": "yesterday"}',
    b'{"device_id": "a", "labels": {"site": "\\u0000"}, "agent_version": "1"}',
    b'{"device_id": "a", "labels": {}, "agent_version": "' + b"x" * 65 + b'"}',
    b'{"deployments":{"web":{"generation":-1,"spec_hash":"x"}},"generation":1}',
    b"x" * (1024 * 1024 + 1),
]


@pytest.mark.parametrize("payload", HOSTILE, ids=lambda payload: repr(payload[:40]))
@pytest.mark.parametrize("read", [digest_state, digest_info, ManifestReader().read])
def test_what_is_malformed_is_refused_in_the_contracts_words(
    read: Callable[[bytes], object], payload: bytes
) -> None:
    with pytest.raises(InvalidInputError):
        read(payload)


@given(json_values)
def test_no_json_brings_anything_but_a_refusal(value: Any) -> None:
    payload = json.dumps(value).encode("utf-8", "surrogatepass")
    for read in (digest_state, digest_info):
        with pytest.raises(InvalidInputError):
            read(payload)


@pytest.mark.parametrize("labels", [{"a b": "c"}, {"site": "x" * 64}, {"site": "\x1b[2J"}])
def test_labels_that_break_the_rules_are_refused_once_and_again(labels: dict[str, str]) -> None:
    fed = FedView()
    fed.info("a", site="berlin")
    payload = json.dumps({"device_id": "a", "agent_version": "1", "labels": labels}).encode()
    for refusals in (1, 2):
        fed.put("device-info", "info.a", payload)
        assert fed.view.counters.rejected == refusals
    assert fed.view.devices.labels[fed.slot("a")] == {"site": "berlin"}
    assert fed.view.devices.distinct_labels() == [{"site": "berlin"}]


def test_label_sets_that_nobody_has_any_more_are_let_go() -> None:
    fed = FedView()
    for number in range(5_000):
        fed.info("a", serial=str(number))
    assert len(fed.view.devices.distinct_labels()) <= 1_000
