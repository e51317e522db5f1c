"""JetStream's request API: streams made as the contract says, and its errors in our tree."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from fleet_core.contracts.buckets import ALL_BUCKETS, AUDIT_STREAM, AUDIT_SUBJECTS, BucketSpec
from fleet_core.errors import (
    BrokenError,
    ConflictError,
    DeviceOfflineError,
    DeviceTimeoutError,
    NotFoundError,
    RetryLaterError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet_core.messaging.connection import Connection

API: Final = "$JS.API"
API_TIMEOUT_S: Final = 5.0
_ERR_STREAM_NOT_FOUND: Final = 10059
_ERR_CONSUMER_NOT_FOUND: Final = 10014
_ERR_STREAM_NAME_IN_USE: Final = 10058
_ERR_WRONG_LAST_SEQUENCE: Final = 10071
_NOT_FOUND: Final = frozenset({_ERR_STREAM_NOT_FOUND, _ERR_CONSUMER_NOT_FOUND})
_SERVICE_UNAVAILABLE: Final = 503
_SHORTEST_WINDOW_NS: Final = 100_000_000
"""The server takes no shorter window for message ids than 100 ms, and 0 means its default."""
_AUDIT_MAX_BYTES: Final = 256 * 1024 * 1024


async def api_request(
    connection: Connection, subject: str, body: object = None, *, timeout_s: float = API_TIMEOUT_S
) -> dict[str, Any]:
    """Call JetStream's API and return its answer.

    Raises:
        NotFoundError: the stream or consumer does not exist.
        ConflictError: a name is taken by something configured otherwise.
        RetryLaterError: JetStream is not there, or not ready.
        BrokenError: JetStream refuses the call.
    """
    payload = b"" if body is None else json.dumps(body).encode()
    try:
        reply = await connection.requests.request(f"{API}.{subject}", payload, timeout_s)
    except (DeviceOfflineError, DeviceTimeoutError) as error:
        raise RetryLaterError(
            "JetStream does not answer", remedy="is it enabled on the server (--jetstream)?"
        ) from error
    return checked(reply.data)


def checked(payload: bytes) -> dict[str, Any]:
    """Return the answer that JetStream gave; raises what `api_request` does."""
    try:
        answer = json.loads(payload)
    except ValueError as error:
        raise BrokenError("JetStream answered with something that is no JSON") from error
    if not isinstance(answer, dict):
        raise BrokenError("JetStream answered with something that is no object")
    failure = answer.get("error")
    if failure is None:
        return answer
    code = failure.get("err_code", 0)
    text = f"JetStream: {failure.get('description', 'unknown error')}"
    if code in _NOT_FOUND:
        raise NotFoundError(text)
    if code in (_ERR_STREAM_NAME_IN_USE, _ERR_WRONG_LAST_SEQUENCE):
        raise ConflictError(text)
    if failure.get("code") == _SERVICE_UNAVAILABLE:
        raise RetryLaterError(text)
    raise BrokenError(text)


async def ensure_buckets(
    connection: Connection, buckets: Iterable[BucketSpec] = ALL_BUCKETS, *, replicas: int = 1
) -> None:
    """Create the KV buckets that are missing; existing ones are brought to the contract.

    Raises: as `api_request`.
    """
    for bucket in buckets:
        await _ensure_stream(connection, _bucket_config(bucket, replicas))


async def ensure_audit_stream(connection: Connection, *, replicas: int = 1) -> None:
    """Create the audit stream if it is missing. Raises as `api_request`."""
    config = {
        "name": AUDIT_STREAM,
        "subjects": [AUDIT_SUBJECTS],
        "description": "who did what to the fleet",
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_bytes": _AUDIT_MAX_BYTES,
        "num_replicas": replicas,
        "deny_delete": True,
        "deny_purge": True,
    }
    await _ensure_stream(connection, config)


def _bucket_config(bucket: BucketSpec, replicas: int) -> dict[str, Any]:
    config = {
        "name": bucket.stream,
        "subjects": [bucket.subject(">")],
        "description": bucket.description,
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_msgs_per_subject": 1,
        "max_msg_size": bucket.max_value_bytes,
        "allow_direct": True,
        "deny_delete": True,
        "allow_rollup_hdrs": not bucket.device_written,
        "deny_purge": bucket.device_written,
        "num_replicas": replicas,
    }
    if bucket.device_written:
        config["duplicate_window"] = _SHORTEST_WINDOW_NS
    return config


async def _ensure_stream(connection: Connection, config: dict[str, Any]) -> None:
    name = config["name"]
    try:
        await api_request(connection, f"STREAM.CREATE.{name}", config)
    except ConflictError:
        await api_request(connection, f"STREAM.UPDATE.{name}", config)


def unix_seconds(timestamp: str) -> float:
    """Return a server's RFC 3339 time, given to the nanosecond, as Unix seconds."""
    return datetime.fromisoformat(timestamp).timestamp()
