"""``fleet operator``: the control plane, and what a cluster has to know before it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NoReturn

from fleet_core.cli import exit_codes
from fleet_core.cli.json_logs import log_as_json
from fleet_core.cli.output import Output, narrate
from fleet_core.cli.sessions import context_of
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from fleet_core.operator.kubernetes.opening import ClusterOptions


def operator(options: argparse.Namespace) -> int | Coroutine[Any, Any, int]:
    """Run the operator, or print what a cluster has to know before."""
    if options.what == "crds":
        return _print_bundle(options)
    return _run(options)


def _print_bundle(options: argparse.Namespace) -> int:
    from fleet_core.operator.kubernetes.bundle import (  # noqa: PLC0415 - only printed here
        bundle,
        workload,
    )

    output, documents = Output(), bundle(options.lease_namespace)
    if options.image:
        documents.append(workload(options.lease_namespace, options.image, options.nats or ""))
    if options.output == "json":
        output.json({"apiVersion": "v1", "kind": "List", "items": documents})
    else:
        output.yaml(documents)
    return exit_codes.OK


async def _run(options: argparse.Namespace) -> NoReturn:
    """Run it; a signal ends it, and whatever it was doing is done by the next one."""
    from fleet_core.operator.controller import OperatorOptions  # noqa: PLC0415 - only here
    from fleet_core.operator.service import serve  # noqa: PLC0415 - only where it runs

    if options.log_format == "json":
        log_as_json()
    cluster = _cluster(options)
    logging.getLogger("fleet_core.operator").setLevel(logging.INFO)
    settings = context_of(options).settings("fleet-operator")
    narrate(f"operator: NATS at {settings.where()}")
    if cluster is not None:
        narrate(f"operator: Deployments in {cluster.settings.where()}")
    operator_options = OperatorOptions(heartbeat_interval_s=options.heartbeat_interval_s)
    await serve(settings, operator_options, cluster=cluster, listen=options.listen)
    raise AssertionError("the operator ends by being cancelled")


def _cluster(options: argparse.Namespace) -> ClusterOptions | None:
    """Return the cluster that the command line names; None where NATS holds the Deployments.

    Raises:
        InvalidInputError: the libraries for it are not installed.
    """
    if not (options.kubeconfig or options.kube_context or options.in_cluster):
        return None
    try:
        from fleet_core.cluster.settings import ClusterSettings  # noqa: PLC0415 - optional
        from fleet_core.operator.kubernetes.opening import ClusterOptions  # noqa: PLC0415 - same
    except ImportError as error:
        raise InvalidInputError(
            f"this installation knows no Kubernetes: {error}",
            remedy="pip install 'fleet-tui[operator]'",
        ) from error
    settings = ClusterSettings(options.kubeconfig, options.kube_context, options.in_cluster)
    return ClusterOptions(settings, options.lease_namespace)
