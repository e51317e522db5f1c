"""The container runtime that drives podman, through the socket of its API."""

from fleet_agent.runtime.podman.runtime import PodmanRuntime, PodmanSettings

__all__ = ["PodmanRuntime", "PodmanSettings"]
