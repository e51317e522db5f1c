"""An asynchronous face over the Kubernetes client, which is synchronous: a few threads, deadlines.

Objects go in and out as the JSON that they are; whoever asked knows what they should be.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from concurrent.futures import Future, ThreadPoolExecutor, wait
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from fleet_core.cluster.errors import no_answer, of_status
from fleet_core.cluster.settings import load_access
from fleet_core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from fleet_core.cluster.settings import Access, ClusterSettings

Object = dict[str, Any]
"""A Kubernetes object."""

REQUESTS_AT_ONCE: Final = 16
REQUEST_TIMEOUT_S: Final = 15.0
_CLOSE_TIMEOUT_S: Final = 2.0
"""Requests under way may end within this: their connections are closed in order then."""
_PAGE: Final = 500
"""Objects of a list that are asked for at a time, as kubectl does."""


class Patch(StrEnum):
    """How a patch is to be read (its content type)."""

    MERGE = "application/merge-patch+json"
    """RFC 7386."""
    JSON = "application/json-patch+json"
    """RFC 6902."""
    APPLY = "application/apply-patch+yaml"
    """Server-side apply."""


class ClusterClient:
    """One cluster; open it with `open`, close it with ``async with`` or `close`.

    All methods raise what `of_status` says of an answer, and CannotConnectError without one.
    """

    def __init__(self, access: Access, threads: ThreadPoolExecutor) -> None:
        import kubernetes  # noqa: PLC0415 - loaded by `open` already, in a thread

        self.access = access
        self._threads = threads
        self._under_way: set[Future[Object]] = set()
        self._client: Any = kubernetes.client.ApiClient(access.configuration)
        self._refusal: Any = kubernetes.client.ApiException
        # What carries the requests comes with the library, and has its own errors.
        urllib3: Any = importlib.import_module("urllib3")
        self._no_way: Any = (OSError, urllib3.exceptions.HTTPError)

    @classmethod
    async def open(cls, settings: ClusterSettings) -> Self:
        """Read the configuration; nothing is sent yet.

        Raises:
            InvalidInputError: there is no configuration, or it cannot be read.
        """
        threads = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="cluster")
        loop = asyncio.get_running_loop()
        try:
            access = await loop.run_in_executor(threads, load_access, settings)
            access.configuration.connection_pool_maxsize = REQUESTS_AT_ONCE
            # Whoever asks tries again, and later: at once, three times, helps nobody.
            access.configuration.retries = False
            return await loop.run_in_executor(threads, cls, access, threads)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End it; requests that take too long run into their deadlines unheard."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(wait, list(self._under_way), _CLOSE_TIMEOUT_S)
        self._client.rest_client.pool_manager.clear()

    @property
    def host(self) -> str:
        """The API server's address."""
        return str(self.access.configuration.host)

    async def get(self, path: str) -> Object | None:
        """Return an object; None if there is none."""
        try:
            return await self._request("GET", path)
        except NotFoundError:
            return None

    async def pages(self, path: str, *, label_selector: str = "") -> AsyncGenerator[list[Object]]:
        """Give all objects of a kind as they stand at one moment, page by page."""
        query = {"limit": str(_PAGE), "labelSelector": label_selector, "continue": ""}
        while True:
            page = await self._request("GET", path, query=query)
            yield page.get("items") or []
            query["continue"] = page.get("metadata", {}).get("continue") or ""
            if not query["continue"]:
                return

    async def create(self, path: str, body: Object) -> Object:
        """Create an object; raises ConflictError where it exists."""
        return await self._request("POST", path, body=body)

    async def replace(self, path: str, body: Object) -> Object:
        """Replace an object; with a ``resourceVersion``, raises ConflictError on another one."""
        return await self._request("PUT", path, body=body)

    async def patch(
        self, path: str, body: Any, kind: Patch = Patch.MERGE, query: Mapping[str, str] = {}
    ) -> Object:
        """Change an object."""
        return await self._request("PATCH", path, body=body, kind=kind.value, query=query)

    async def delete(self, path: str, *, version: int | None = None) -> None:
        """Delete an object; deleting what is not there is no error.

        With a resource version, raises ConflictError where the object has another one.
        """
        body = {"preconditions": {"resourceVersion": str(version)}} if version else None
        try:
            await self._request("DELETE", path, body=body)
        except NotFoundError:
            return

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        kind: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        given = [(name, value) for name, value in (query or {}).items() if value]
        sent = self._threads.submit(self._send, method, path, body, kind, given)
        # Whoever asked may be cancelled: the request ends by itself.
        self._under_way.add(sent)
        sent.add_done_callback(self._under_way.discard)
        return await asyncio.wrap_future(sent)

    def _send(
        self, method: str, path: str, body: Any, kind: str, query: list[tuple[str, str]]
    ) -> Object:
        headers = {"Accept": "application/json", "Content-Type": kind}
        # What is applied is YAML, which JSON is too; the client knows it as text only.
        sent = json.dumps(body) if kind == Patch.APPLY else body
        try:
            request = self._client.param_serialize(
                method,
                path,
                query_params=query,
                header_params=headers,
                body=sent,
                auth_settings=["BearerToken"],
            )
            answer = self._client.call_api(*request, _request_timeout=REQUEST_TIMEOUT_S)
            data: bytes = answer.read()
        except self._refusal as error:
            # Raised for what went wrong on the way: an answer of the server is looked at below.
            raise no_answer(self.host, error) from error
        except self._no_way as error:
            raise no_answer(self.host, error) from error
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise of_status(answer.status, answer.reason, data)
        found: Object = json.loads(data)
        return found


def path_of(*parts: str) -> str:
    """Return a path of an API; what is not ours cannot step out of its place."""
    return "/" + "/".join(quote(part, safe="") for part in parts)
