"""Commands to devices: subjects, requests, replies and their limits (NATS request/reply)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from fleet_core.contracts.base import Wire
from fleet_core.contracts.names import (
    ContainerName,
    DeploymentName,
    DeviceId,
    Generation,
    Text,
)

COMMANDS_PREFIX: Final = "device-commands"

HEADER_SEQUENCE: Final = "Fleet-Sequence"
"""Counts the chunks of a followed log from 0, so that the requester sees a gap."""
HEADER_END: Final = "Fleet-End"
"""On the last chunk of a followed log: why it ends."""

FOLLOW_LEASE_S: Final = 30
"""A followed log stops this long after the requester last sent its request (same request id)."""
LOGS_MAX_LINES: Final = 5_000
LOGS_MAX_BYTES: Final = 512 * 1024
"""Half of the default ``max_payload``, so that a reply fits whatever its escaping."""
EXEC_DEADLINE_S: Final = 25
EXEC_MAX_STREAM_BYTES: Final = 256 * 1024

RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
"""Chosen by the requester: a command with the same id is done once, however often it arrives."""


class Verb(StrEnum):
    """What a device can be told; the last token of a command's subject."""

    PING = "ping"
    LOGS = "logs"
    EXEC = "exec"
    REDEPLOY = "redeploy"


MUTATING_VERBS: Final = frozenset({Verb.EXEC, Verb.REDEPLOY})


def command_subject(device_id: str, verb: str) -> str:
    """Return the subject on which a device takes the command."""
    return f"{COMMANDS_PREFIX}.{device_id}.{verb}"


def command_filter(device_id: str) -> str:
    """Return the subject filter for all commands to a device."""
    return f"{COMMANDS_PREFIX}.{device_id}.>"


class PingReply(Wire):
    """The answer to an empty ``ping``."""

    device_id: DeviceId
    agent_version: Annotated[Text, Field(max_length=64)]
    uptime_s: Annotated[int, Field(ge=0)]


class LogsRequest(Wire):
    """Which lines of which container."""

    deployment: DeploymentName
    container: ContainerName | None = None
    """One of the score's containers; none means the first service."""
    tail: Annotated[int, Field(ge=0, le=LOGS_MAX_LINES)] = 200
    since_s: Annotated[int, Field(ge=0)] | None = None
    """Only lines of the last so many seconds."""
    follow: bool = False
    timestamps: bool = False
    previous: bool = False
    """The run before the present one."""
    request_id: RequestId | None = None
    """Names a followed log: sending the same request again renews its lease."""

    @model_validator(mode="after")
    def _follow_is_named(self) -> Self:
        if self.follow and self.request_id is None:
            raise ValueError("expected a request_id with follow")
        return self


class LogsReply(Wire):
    """Lines of a log, oldest first."""

    lines: Annotated[list[str], Field(max_length=LOGS_MAX_LINES)]
    truncated: bool = False
    """Older lines were left out, to keep within the limits."""


class ExecRequest(Wire):
    """A program to run: ``argv`` as it stands, or ``shell`` through ``/bin/sh -c``."""

    request_id: RequestId
    argv: Annotated[list[Text], Field(min_length=1, max_length=256)] | None = None
    shell: Annotated[Text, Field(max_length=16_384)] | None = None
    timeout_s: Annotated[int, Field(ge=1, le=EXEC_DEADLINE_S)] = EXEC_DEADLINE_S
    deployment: DeploymentName | None = None
    container: ContainerName | None = None
    """In this container; without it on the host, which the device must allow."""

    @model_validator(mode="after")
    def _one_program(self) -> Self:
        if (self.argv is None) == (self.shell is None):
            raise ValueError("expected either argv or shell")
        return self


class ExecReply(Wire):
    """What the program said; each stream is cut at `EXEC_MAX_STREAM_BYTES`."""

    exit_code: int | None
    """None where the deadline ended it."""
    stdout: str
    stderr: str
    truncated: bool = False


class RedeployRequest(Wire):
    """Run the deployment again from its first init container, with the spec the device has."""

    request_id: RequestId
    deployment: DeploymentName


class RedeployReply(Wire):
    """The device took the order; what comes of it is told by its `DeploymentState`."""

    device_id: DeviceId
    deployment: DeploymentName
    generation: Generation


class ErrorDetail(Wire):
    """Why a command was not done."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,31}$")]
    """A word of the error tree: ``invalid``, ``not-found``, ``refused``, ``retry-later``…"""
    message: Annotated[str, Field(max_length=2_048)]


class ErrorReply(Wire):
    """The reply in place of a result."""

    error: ErrorDetail
