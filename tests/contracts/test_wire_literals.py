"""Every literal that other programs rely on, locked: a change here breaks devices in the field."""

from __future__ import annotations

import pytest

from fleet_core.contracts import buckets, commands, resources
from fleet_core.contracts.states import Phase


def test_bucket_names() -> None:
    assert [bucket.name for bucket in buckets.ALL_BUCKETS] == [
        "desired-state",
        "device-manifest",
        "device-info",
        "device-heartbeat",
        "device-state",
        "deployments",
        "deployment-status",
        "deployment-revisions",
        "control-plane",
    ]


def test_only_what_devices_write_is_marked_so() -> None:
    written = {bucket.name for bucket in buckets.ALL_BUCKETS if bucket.device_written}
    assert written == {"device-info", "device-heartbeat", "device-state"}


def test_a_bucket_is_a_stream_and_a_subject_space() -> None:
    assert buckets.DESIRED_STATE.stream == "KV_desired-state"
    assert buckets.DESIRED_STATE.subject("van-1.web") == "$KV.desired-state.van-1.web"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (buckets.desired_key("van-1", "web"), "van-1.web"),
        (buckets.manifest_key("van-1"), "van-1"),
        (buckets.info_key("van-1"), "info.van-1"),
        (buckets.heartbeat_key("van-1"), "heartbeat.van-1"),
        (buckets.state_key("van-1", "web"), "state.van-1.web"),
        (buckets.resource_key("shop", "web"), "shop.web"),
    ],
)
def test_keys(key: str, expected: str) -> None:
    assert key == expected


def test_headers() -> None:
    assert buckets.HEADER_GENERATION == "Fleet-Generation"
    assert buckets.HEADER_SPEC_HASH == "Fleet-Spec-Hash"
    assert commands.HEADER_SEQUENCE == "Fleet-Sequence"
    assert commands.HEADER_END == "Fleet-End"


def test_the_audit_stream() -> None:
    assert buckets.AUDIT_STREAM == "audit"
    assert buckets.AUDIT_SUBJECTS == "audit.>"
    assert buckets.audit_subject("apply") == "audit.apply"


def test_command_subjects() -> None:
    assert commands.command_subject("van-1", commands.Verb.PING) == "device-commands.van-1.ping"
    assert commands.command_filter("van-1") == "device-commands.van-1.>"
    assert [verb.value for verb in commands.Verb] == ["ping", "logs", "exec", "redeploy"]
    assert {verb.value for verb in commands.MUTATING_VERBS} == {"exec", "redeploy"}


def test_command_limits() -> None:
    assert commands.EXEC_DEADLINE_S == 25
    assert commands.EXEC_MAX_STREAM_BYTES == 262_144
    assert commands.FOLLOW_LEASE_S == 30


def test_phases() -> None:
    assert [phase.value for phase in Phase] == ["Pending", "Running", "Failed"]


def test_resource_names() -> None:
    assert resources.API_VERSION == "fleet.nationtech.io/v1alpha1"
    assert resources.API_GROUP == "fleet.nationtech.io"
    assert resources.DEPLOYMENT_KIND == "Deployment"
    assert resources.FINALIZER == "fleet.nationtech.io/finalizer"
