"""Health checks of a service, as the kubelet has them: startup, liveness, readiness."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from fleet_core.contracts.base import Wire, without_defaults
from fleet_core.contracts.names import Text

MAX_PROBE_SECONDS: Final = 24 * 3600

Seconds = Annotated[int, Field(ge=1, le=MAX_PROBE_SECONDS)]
Threshold = Annotated[int, Field(ge=1, le=1_000)]
PortNumber = Annotated[int, Field(ge=1, le=65_535)]
HttpPath = Annotated[
    str, StringConstraints(pattern=r"^/[\x21-\x7e]*$", max_length=2_048), Field(examples=["/ready"])
]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,128}$")]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=1_024)]


class HttpCheck(Wire):
    """A GET to the container; 200 to 399 is a success, redirects are not followed."""

    port: PortNumber
    """Of the container, published or not."""
    path: HttpPath = "/"
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=16)] = Field(
        default_factory=dict
    )


class TcpCheck(Wire):
    """A connection to the container that is taken."""

    port: PortNumber


class Probe(Wire):
    """One check and its timing; the defaults are the kubelet's."""

    exec: Annotated[list[Text], Field(min_length=1, max_length=64)] | None = None
    """A program in the container; exit code 0 is a success."""
    http: HttpCheck | None = None
    tcp: TcpCheck | None = None
    initial_delay_s: Annotated[int, Field(ge=0, le=MAX_PROBE_SECONDS)] = 0
    period_s: Seconds = 10
    timeout_s: Annotated[int, Field(ge=1, le=300)] = 1
    success_threshold: Threshold = 1
    failure_threshold: Threshold = 3

    @model_validator(mode="after")
    def _one_check(self) -> Self:
        if sum(check is not None for check in (self.exec, self.http, self.tcp)) != 1:
            raise ValueError("expected exactly one of exec, http and tcp")
        return self

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(self, handler(self))


class Health(Wire):
    """What tells whether a service is up (startup), must be restarted (liveness), is of use.

    Only its readiness makes a service count as ``Running``. Until the startup probe has succeeded
    once, the other two are not asked.
    """

    startup: Probe | None = None
    liveness: Probe | None = None
    readiness: Probe | None = None

    @model_validator(mode="after")
    def _one_success_counts(self) -> Self:
        for name in ("startup", "liveness"):
            probe = getattr(self, name)
            if probe is not None and probe.success_threshold != 1:
                raise ValueError(f"expected success_threshold 1 in {name}, as Kubernetes does")
        return self

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(self, handler(self))
