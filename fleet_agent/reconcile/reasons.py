"""Why a container ended or waits, in Kubernetes' words."""

from __future__ import annotations

from typing import Final

COMPLETED: Final = "Completed"
ERROR: Final = "Error"
OOM_KILLED: Final = "OOMKilled"
START_ERROR: Final = "StartError"
CONFIG_ERROR: Final = "CreateContainerConfigError"
INIT_TIMEOUT: Final = "InitTimeout"
ERR_IMAGE_PULL: Final = "ErrImagePull"
ERR_IMAGE_NEVER_PULL: Final = "ErrImageNeverPull"
STATUS_UNKNOWN: Final = "ContainerStatusUnknown"
"""The kubelet's word for a container that vanished without an exit code."""
POD_INITIALIZING: Final = "PodInitializing"
CONTAINER_CREATING: Final = "ContainerCreating"
CRASH_LOOP_BACK_OFF: Final = "CrashLoopBackOff"
IMAGE_PULL_BACK_OFF: Final = "ImagePullBackOff"
RUNNING: Final = "Running"
NOT_READY: Final = "ContainersNotReady"
"""The kubelet's reason of a Pod's condition ``Ready`` while its containers run, and are not."""
ROLLED_BACK: Final = "RolledBack"
UNHEALTHY: Final = "Unhealthy"
"""The kubelet's reason of the event that a failed probe gives."""
INVALID_SPEC: Final = "InvalidSpec"
RUNTIME_UNAVAILABLE: Final = "RuntimeUnavailable"


def explain_exit(exit_code: int, *, oom_killed: bool) -> tuple[str, str]:
    """Return the reason and message of an exit code; 125 to 127 are podman's own."""
    if oom_killed:
        return OOM_KILLED, "killed: it used more memory than it may"
    match exit_code:
        case 0:
            return COMPLETED, ""
        case 125:
            return START_ERROR, "the container runtime could not run it"
        case 126:
            return START_ERROR, "its program is not executable"
        case 127:
            return START_ERROR, "its program was not found"
        case _:
            return ERROR, ""
