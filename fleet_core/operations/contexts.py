"""Contexts: which NATS a person works on, by name, and how careful they want to be there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from fleet_core.errors import InvalidInputError, RefusedError

if TYPE_CHECKING:
    from fleet_core.messaging import Connection, ConnectionSettings
    from fleet_core.operations.deployment_stores import DeploymentStore

SCHEMES: Final = ("nats", "tls", "ws", "wss")


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """A Kubernetes cluster, as a config file names it."""

    kubeconfig: str | None = None
    """None: the one that kubectl uses."""
    context: str | None = None
    """None: the kubeconfig's current one."""


@dataclass(frozen=True, slots=True)
class Context:
    """One NATS, as a person names it."""

    name: str
    """Empty where no context of the config file was chosen."""
    servers: tuple[str, ...]
    """URLs without user and password."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    production: bool = False
    """Whoever changes something here types the context's name."""
    read_only: bool = False
    read_only_by_word: bool = False
    """The config file says so: no flag lifts it. Production's default can be lifted."""
    cluster: ClusterAccess | None = None
    """The cluster that holds the Deployments, where people may change them through it."""
    arguments: tuple[str, ...] = ()
    """What names this context on a ``fleet`` command line."""

    @classmethod
    def of_url(cls, url: str, *, name: str = "") -> Context:
        """Return a context for URLs, separated by commas; user and password may stand in them.

        Raises:
            InvalidInputError: not a NATS URL.
        """
        servers, user, password, token = read_urls(url.split(","), "nats")
        return cls(name, servers, user, password, token, arguments=("--nats", ",".join(servers)))

    def settings(self, program: str) -> ConnectionSettings:
        """Return how to connect; ``program`` names the connection on the server."""
        from fleet_core.messaging import ConnectionSettings  # noqa: PLC0415 - imports nats: slow

        return ConnectionSettings(
            servers=self.servers,
            name=program,
            user=self.user,
            password=self.password,
            token=self.token,
        )

    def deployment_store(self, connection: Connection) -> DeploymentStore:
        """Return where Deployments are read and written."""
        if self.cluster is None:
            from fleet_core.operations.deployment_stores import (  # noqa: PLC0415 - imports nats
                KvDeploymentStore,
            )

            return KvDeploymentStore(connection)
        from fleet_core.cluster.settings import ClusterSettings  # noqa: PLC0415 - seldom needed
        from fleet_core.operations.cluster_deployments import (  # noqa: PLC0415 - as above
            ClusterDeploymentStore,
        )

        return ClusterDeploymentStore(
            ClusterSettings(self.cluster.kubeconfig, self.cluster.context)
        )

    def refuse_if_read_only(self, operation: str) -> None:
        """Raise RefusedError where the context lets nobody change the fleet."""
        if self.read_only:
            where = f"context {self.name!r}" if self.name else "this session"
            raise RefusedError(
                f"{operation} changes the fleet, and {where} is read-only",
                remedy=(
                    "set read-only = false in the context"
                    if self.read_only_by_word
                    else "give --read-write"
                ),
            )


def read_urls(
    urls: list[str], path: str
) -> tuple[tuple[str, ...], str | None, str | None, str | None]:
    """Return the URLs without their secrets, and user, password and token as found in them.

    Raises:
        InvalidInputError: one is no NATS URL; it is not repeated, since it may hold a password.
    """
    servers, user, password, token = [], None, None, None
    for url in urls:
        parts = _split(url.strip(), path)
        if parts.username is not None:
            if parts.password is None:
                token = unquote(parts.username)
            else:
                user, password = unquote(parts.username), unquote(parts.password)
        host = parts.netloc.rpartition("@")[2]
        servers.append(urlunsplit((parts.scheme, host, parts.path, "", "")))
    return tuple(servers), user, password, token


def _split(url: str, path: str) -> SplitResult:
    expected = "a URL as nats://host:4222"
    wrong = InvalidInputError(f"{path}: expected {expected}", path=path, expected=expected)
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        if parts.scheme not in SCHEMES or not parts.hostname or parts.port == 0:
            raise wrong
    except ValueError as error:
        # The port is no number, or an IPv6 address is not closed.
        raise wrong from error
    return parts
