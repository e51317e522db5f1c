"""Images: whether they are here, pulling them as their policy says, and whether they run here."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from podman import api as podman_api

from fleet_agent.runtime.contract import (
    ImageNeverPulledError,
    ImageNotFoundError,
    ImagePullError,
)
from fleet_agent.runtime.podman.api import STALL_TIMEOUT_S, ApiError, answer_of
from fleet_core.contracts.containers import PullPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from podman.api.client import APIClient

    from fleet_agent.runtime.podman.api import PodmanApi

NOT_FOUND: Final = 404
TELL_EVERY_S: Final = 1.0
_ABSENT: Final = (
    "manifest unknown",
    "name unknown",
    "not found",
    "unauthorized",
    "authentication required",
    "denied",
    "invalid username/password",
    "no such image",
)
"""What registries say of an image that does not exist or may not be pulled (OCI distribution)."""
_MESSAGE_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Registry:
    """How images of one registry are pulled; the password is read anew for each pull."""

    username: str | None = None
    password: str | None = None
    password_file: Path | None = None
    insecure: bool = False


class Images:
    """The images of the device's podman."""

    def __init__(self, api: PodmanApi, registries: Mapping[str, Registry]) -> None:
        self._api = api
        self._registries = registries
        self._architecture = ""

    async def ensure(
        self, image: str, policy: PullPolicy, on_progress: Callable[[str], None] | None
    ) -> None:
        """Have the image here, as `ContainerRuntime.pull_image` says."""
        found = await self._inspect(image)
        if found is None or policy is PullPolicy.ALWAYS:
            if policy is PullPolicy.NEVER:
                raise ImageNeverPulledError(f"{image}: not on this device, and never pulled")
            await self._pull(image, on_progress or _ignore)
            found = await self._inspect(image)
        if found is None:
            raise ImagePullError(f"{image}: gone right after it was pulled")
        await self._check_architecture(image, found)

    async def _inspect(self, image: str) -> Any:
        try:
            return await self._api.get(f"/images/{quote(image, safe='')}/json")
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise ImagePullError(f"{image}: {error.message}") from error

    async def _check_architecture(self, image: str, found: Any) -> None:
        """See that the image's programs run on this device's processor."""
        if not self._architecture:
            self._architecture = (await self._api.get("/info"))["host"]["arch"]
        architecture = found.get("Architecture") or self._architecture
        if architecture != self._architecture:
            raise ImagePullError(
                f"{image}: is for {architecture}, and this device is {self._architecture}"
            )

    async def _pull(self, image: str, on_progress: Callable[[str], None]) -> None:
        registry = self._registries.get(image.partition("/")[0], Registry())
        loop = asyncio.get_running_loop()

        def tell(words: str) -> None:
            loop.call_soon_threadsafe(on_progress, words)

        try:
            await self._api.slowly(lambda api: _pull(api, image, registry, tell))
        except ApiError as error:
            raise pull_error(image, error.message) from error


def pull_error(image: str, said: str) -> ImageNotFoundError | ImagePullError:
    """Return what a failed pull means: nothing to be had, or not this time."""
    kind = ImageNotFoundError if any(word in said.lower() for word in _ABSENT) else ImagePullError
    text = said if image in said else f"{image}: {said}"
    return kind(text[:_MESSAGE_MAX])


def _pull(api: APIClient, image: str, registry: Registry, tell: Callable[[str], None]) -> None:
    """Pull, in a thread; podman itself keeps the credentials in a temporary file meanwhile."""
    response = api.post(
        "/images/pull",
        params={
            "reference": image,
            "policy": "always",
            "tlsVerify": "false" if registry.insecure else "true",
        },
        headers=_credentials(registry),
        timeout=(STALL_TIMEOUT_S, STALL_TIMEOUT_S),
        stream=True,
    )
    try:
        answer_of(response, streamed=True)
        _read_progress(response.iter_lines(), tell)
    finally:
        response.close()


def _credentials(registry: Registry) -> dict[str, str]:
    if registry.username is None:
        return {}
    password = registry.password
    if registry.password_file is not None:
        try:
            password = registry.password_file.read_text(encoding="utf-8").removesuffix("\n")
        except OSError as error:
            raise ApiError(
                0, f"the registry's password cannot be read: {error.filename}: {error.strerror}"
            ) from error
    account = {"username": registry.username, "password": password or ""}
    header: bytes | str = podman_api.encode_auth_header(account)
    return {"X-Registry-Auth": header if isinstance(header, str) else header.decode()}


def _read_progress(lines: Any, tell: Callable[[str], None]) -> None:
    """Read the stream of a pull to its end; how far it is, is told at most once a second."""
    blobs: set[str] = set()
    told_at_s = 0.0
    for line in lines:
        said = json.loads(line)
        if said.get("error"):
            raise ApiError(0, " ".join(str(said["error"]).split()))
        for words in str(said.get("stream") or "").splitlines():
            if words.startswith("Copying blob"):
                blobs.add(words.split()[2])
        if blobs and time.monotonic() - told_at_s >= TELL_EVERY_S:
            told_at_s = time.monotonic()
            tell(f"pulling, {len(blobs)} layers")


def _ignore(_words: str) -> None:
    return
