"""Which cluster to talk to, and as whom: a context of a kubeconfig, or the pod's own account."""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    import kopf


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How to reach a cluster."""

    kubeconfig: str | None = None
    """A file; None: as kubectl finds it (``$KUBECONFIG``, else ``~/.kube/config``)."""
    context: str | None = None
    """A context of that file; None: its current one."""
    in_cluster: bool = False
    """The service account of the pod that this runs in, in place of a kubeconfig."""

    def where(self) -> str:
        """Return what a person calls the cluster."""
        if self.in_cluster:
            return "the cluster of this pod"
        return (
            f"context {self.context}" if self.context else (self.kubeconfig or "kubectl's context")
        )


@dataclass(frozen=True, slots=True)
class Access:
    """An API server's address, and what lets us in."""

    configuration: Any
    """A ``kubernetes.client.Configuration``: the library has no types."""

    def for_kopf(self) -> kopf.ConnectionInfo:
        """Return the same for kopf, which speaks to the API server by itself."""
        import kopf  # noqa: PLC0415 - slow, and only where a cluster is watched

        known = self.configuration
        scheme, _, token = (known.get_api_key_with_prefix("BearerToken") or "").partition(" ")
        return kopf.ConnectionInfo(
            server=known.host,
            ca_path=known.ssl_ca_cert,
            insecure=not known.verify_ssl,
            # In a pod the library writes the scheme in lower case.
            token=token or None if scheme.lower() == "bearer" else None,
            username=known.username or None,
            password=known.password or None,
            certificate_path=known.cert_file,
            private_key_path=known.key_file,
        )


def load_access(settings: ClusterSettings) -> Access:
    """Read the kubeconfig, or the pod's account; reads files and may run a login program.

    Raises:
        InvalidInputError: there is none, or it cannot be read.
    """
    # The library has no types.
    kubernetes: Any = importlib.import_module("kubernetes")
    configuration = kubernetes.client.Configuration()
    try:
        if settings.in_cluster:
            kubernetes.config.load_incluster_config(client_configuration=configuration)
        else:
            kubernetes.config.load_kube_config(
                config_file=settings.kubeconfig,
                context=settings.context,
                client_configuration=configuration,
            )
    except (kubernetes.config.ConfigException, OSError, ValueError) as error:
        raise InvalidInputError(
            f"there is no way to {settings.where()}: {error}",
            expected="a kubeconfig",
            remedy="see what kubectl config view says",
        ) from error
    if not configuration.verify_ssl:
        _log.warning("the kubeconfig says not to verify the certificate of %s", configuration.host)
        # Said once; urllib3 would say it with each request.
        urllib3: Any = importlib.import_module("urllib3")
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return Access(configuration)
