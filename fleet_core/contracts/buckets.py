"""The KV buckets, their keys, headers and limits, and the audit stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fleet_core.contracts.names import is_dns_label
from fleet_core.errors import InvalidInputError

KIB: Final = 1024

HEADER_GENERATION: Final = "Fleet-Generation"
HEADER_SPEC_HASH: Final = "Fleet-Spec-Hash"


@dataclass(frozen=True, slots=True)
class BucketSpec:
    """One KV bucket as every program creates it: history 1, direct reads allowed."""

    name: str
    description: str
    max_value_bytes: int
    device_written: bool = False
    """Written by devices: no rollup headers, no purge, no message-id window.

    One device could otherwise wipe the bucket or mute another's messages (tried on 2.15.1).
    """

    @property
    def stream(self) -> str:
        """The JetStream stream that holds the bucket."""
        return f"KV_{self.name}"

    def subject(self, key: str) -> str:
        """Return the subject of a key (or of a filter, where the key has wildcards)."""
        return f"$KV.{self.name}.{key}"


DESIRED_STATE: Final = BucketSpec(
    "desired-state", "scores that devices should run, by device and deployment", 256 * KIB
)
DEVICE_MANIFEST: Final = BucketSpec(
    "device-manifest", "which deployments a device should run, and at which generation", 256 * KIB
)
DEVICE_INFO: Final = BucketSpec(
    "device-info", "labels and inventory that devices report", 32 * KIB, device_written=True
)
DEVICE_HEARTBEAT: Final = BucketSpec(
    "device-heartbeat", "the last sign of life of each device", 256, device_written=True
)
DEVICE_STATE: Final = BucketSpec(
    "device-state", "what devices observe of their deployments", 64 * KIB, device_written=True
)
DEPLOYMENTS: Final = BucketSpec(
    "deployments", "Deployment resources, where no cluster holds them", 512 * KIB
)
DEPLOYMENT_STATUS: Final = BucketSpec(
    "deployment-status", "the status of Deployment resources", 128 * KIB
)
DEPLOYMENT_REVISIONS: Final = BucketSpec(
    "deployment-revisions", "the last versions of each Deployment's score", 256 * KIB
)
CONTROL_PLANE: Final = BucketSpec(
    "control-plane", "what operators tell of themselves: where Deployments are held", 4 * KIB
)
ALL_BUCKETS: Final = (
    DESIRED_STATE,
    DEVICE_MANIFEST,
    DEVICE_INFO,
    DEVICE_HEARTBEAT,
    DEVICE_STATE,
    DEPLOYMENTS,
    DEPLOYMENT_STATUS,
    DEPLOYMENT_REVISIONS,
    CONTROL_PLANE,
)

HOLDER_KEY: Final = "holder"
"""The key in `CONTROL_PLANE` of the `Holder` of Deployments."""

AUDIT_STREAM: Final = "audit"
AUDIT_SUBJECTS: Final = "audit.>"


def desired_key(device_id: str, deployment: str) -> str:
    """Return the key of a device's score for a deployment in `DESIRED_STATE`."""
    return f"{device_id}.{deployment}"


def manifest_key(device_id: str) -> str:
    """Return the key of a device's manifest in `DEVICE_MANIFEST`."""
    return device_id


def info_key(device_id: str) -> str:
    """Return the key of a device's info in `DEVICE_INFO`."""
    return f"info.{device_id}"


def heartbeat_key(device_id: str) -> str:
    """Return the key of a device's heartbeat in `DEVICE_HEARTBEAT`."""
    return f"heartbeat.{device_id}"


def state_key(device_id: str, deployment: str) -> str:
    """Return the key of a device's state of a deployment in `DEVICE_STATE`."""
    return f"state.{device_id}.{deployment}"


def resource_key(namespace: str, name: str) -> str:
    """Return the key of a Deployment in `DEPLOYMENTS` and `DEPLOYMENT_STATUS`."""
    return f"{namespace}.{name}"


def revision_key(namespace: str, name: str, spec_hash: str) -> str:
    """Return the key of a version of a Deployment in `DEPLOYMENT_REVISIONS`."""
    return f"{namespace}.{name}.{spec_hash}"


def audit_subject(operation: str) -> str:
    """Return the subject under which a record of the operation is appended."""
    return f"audit.{operation}"


def parse_desired_key(key: str) -> tuple[str, str]:
    """Return (device id, deployment); raises InvalidInputError for a foreign key."""
    device_id, deployment = _labels(key, 2, "<device>.<deployment>")
    return device_id, deployment


def parse_manifest_key(key: str) -> str:
    """Return the device id; raises InvalidInputError for a foreign key."""
    (device_id,) = _labels(key, 1, "<device>")
    return device_id


def parse_info_key(key: str) -> str:
    """Return the device id; raises InvalidInputError for a foreign key."""
    return _prefixed(key, "info", 1)[0]


def parse_heartbeat_key(key: str) -> str:
    """Return the device id; raises InvalidInputError for a foreign key."""
    return _prefixed(key, "heartbeat", 1)[0]


def parse_state_key(key: str) -> tuple[str, str]:
    """Return (device id, deployment); raises InvalidInputError for a foreign key."""
    device_id, deployment = _prefixed(key, "state", 2)
    return device_id, deployment


def parse_resource_key(key: str) -> tuple[str, str]:
    """Return (namespace, name); raises InvalidInputError for a foreign key."""
    namespace, name = _labels(key, 2, "<namespace>.<name>")
    return namespace, name


def parse_revision_key(key: str) -> tuple[str, str, str]:
    """Return (namespace, name, spec hash); raises InvalidInputError for a foreign key."""
    namespace, name, spec_hash = _labels(key, 3, "<namespace>.<name>.<spec hash>")
    return namespace, name, spec_hash


def _prefixed(key: str, prefix: str, count: int) -> list[str]:
    head, _, rest = key.partition(".")
    expected = ".".join([prefix, "<device>", "<deployment>"][: count + 1])
    if head != prefix:
        raise _foreign(key, expected)
    return _labels(rest, count, expected)


def _labels(text: str, count: int, expected: str) -> list[str]:
    parts = text.split(".")
    if len(parts) != count or not all(map(is_dns_label, parts)):
        raise _foreign(text, expected)
    return parts


def _foreign(key: str, expected: str) -> InvalidInputError:
    return InvalidInputError(
        f"{key[:80]!r} is no key of this bucket", path="key", expected=expected
    )
