"""Calls to podman's API from the event loop: podman-py is synchronous, so they run in threads."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import requests
from podman import PodmanClient
from podman.errors import PodmanError

from fleet_agent.runtime.contract import RuntimeUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from podman.api.client import APIClient, APIResponse

    from fleet_agent.runtime.podman.service import PodmanService

CALL_TIMEOUT_S: Final = 60.0
"""Longer than any call takes on a busy device; a hung podman must not hold a thread for ever."""
STALL_TIMEOUT_S: Final = 120.0
"""A pull that says nothing for so long is given up."""
_ERROR_MAX: Final = 600
_FIRST_ERROR: Final = 400


class ApiError(Exception):
    """podman's answer to a call that it did not do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class PodmanApi:
    """A bounded number of calls at a time; all of them raise the same two errors.

    That is: `ApiError` where podman refuses, `RuntimeUnavailableError` where it does not answer.
    """

    def __init__(self, service: PodmanService, parallel_calls: int) -> None:
        self.calls = 0
        """How many were made, for who measures."""
        self._service = service
        self._parallel_calls = parallel_calls
        self._pool = ThreadPoolExecutor(parallel_calls, thread_name_prefix="podman")
        self._slow_pool = ThreadPoolExecutor(2 * parallel_calls, thread_name_prefix="podman-slow")
        self._client: PodmanClient | None = None
        self._client_address = ""

    async def get(self, path: str, **parameters: Any) -> Any:
        """Return the JSON that podman answers."""
        return await self._call("GET", path, parameters, None)

    async def post(self, path: str, body: Any = None, **parameters: Any) -> Any:
        """Post JSON; returns the JSON that podman answers, None where it says nothing."""
        return await self._call("POST", path, parameters, body)

    async def delete(self, path: str, **parameters: Any) -> Any:
        """Delete something."""
        return await self._call("DELETE", path, parameters, None)

    async def slowly(self, work: Callable[[APIClient], Any]) -> Any:
        """Do something that may take long: it does not hold up the other calls."""
        client = await self._connected()
        self.calls += 1
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._slow_pool, self._guarded, work, client)

    async def off_loop(self, work: Callable[[], Any]) -> Any:
        """Do something in a thread that is no call: reading a log file."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def close(self) -> None:
        """Let go of the threads; calls under way are left to end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._slow_pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    async def _call(self, method: str, path: str, parameters: dict[str, Any], body: Any) -> Any:
        client = await self._connected()
        self.calls += 1

        named = {name: _parameter(value) for name, value in parameters.items()}

        def work(api: APIClient) -> Any:
            if method == "GET":
                return answer_of(api.get(path, params=named, timeout=CALL_TIMEOUT_S))
            if method == "DELETE":
                return answer_of(api.delete(path, params=named, timeout=CALL_TIMEOUT_S))
            return answer_of(post_json(api, path, body, params=named, timeout=CALL_TIMEOUT_S))

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._guarded, work, client)

    async def _connected(self) -> APIClient:
        address = f"unix://{await self._service.address()}"
        if self._client is None or self._client_address != address:
            self._client = await asyncio.to_thread(
                PodmanClient, base_url=address, max_pool_size=3 * self._parallel_calls
            )
            self._client_address = address
        return self._client.api

    def _guarded(self, work: Callable[[APIClient], Any], client: APIClient) -> Any:
        try:
            return work(client)
        except (requests.RequestException, PodmanError, OSError) as error:
            self._service.doubt()
            raise RuntimeUnavailableError(
                f"podman does not answer: {error}"[:_ERROR_MAX],
                remedy="fleet-agent check tells more",
            ) from error


def post_json(api: APIClient, path: str, body: Any, **options: Any) -> APIResponse:
    """Post JSON, in a thread; ``options`` are those of podman-py's ``post``."""
    headers = {"Content-Type": "application/json"}
    data = None if body is None else json.dumps(body)
    return api.post(path, data=data, headers=headers, **options)


def answer_of(response: APIResponse, *, streamed: bool = False) -> Any:
    """Return the JSON of a response; None where its body is ``streamed`` and left to be read.

    Raises:
        ApiError: podman refused.
    """
    if response.status_code >= _FIRST_ERROR:
        raise ApiError(response.status_code, _message(response.text))
    return None if streamed or not response.content else response.json()


def _message(text: str) -> str:
    """Return what podman says is wrong: its ``message`` holds its ``cause`` too."""
    try:
        said = json.loads(text)
    except ValueError:
        said = text
    if isinstance(said, dict):
        said = said.get("message") or said.get("cause") or text
    return " ".join(str(said).split())[:_ERROR_MAX]


def _parameter(value: Any) -> str:
    """Return a query parameter as podman reads it: maps as JSON, booleans in lower case."""
    return value if isinstance(value, str) else json.dumps(value)
