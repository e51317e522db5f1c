"""What podman's refusals to create or to start a container mean: pure functions of its words."""

from __future__ import annotations

from typing import Final

from fleet_agent.runtime.contract import ContainerStartError, ImageNotFoundError

_NO_IMAGE: Final = ("image not known", "no such image")
_EXIT_CODES: Final = (
    (126, ("permission denied", "exec format error")),
    (127, ("not found", "no such file or directory")),
)
"""What a container runtime says of a program that it cannot run, as podman's exit codes."""


def create_error(image: str, said: str) -> ImageNotFoundError | ContainerStartError:
    """Return what a refused creation means."""
    if any(words in said for words in _NO_IMAGE):
        return ImageNotFoundError(f"{image}: not on this device")
    return ContainerStartError(said)


def start_error(said: str) -> ContainerStartError:
    """Return what a refused start means, with podman's exit code for it."""
    words = said.lower()
    for exit_code, signs in _EXIT_CODES:
        if "oci" in words and any(sign in words for sign in signs):
            return ContainerStartError(said, exit_code=exit_code)
    return ContainerStartError(said)
