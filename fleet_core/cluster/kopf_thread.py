"""kopf in a thread of its own: it takes the signals of the thread that it runs in, and blocks.

Only its watching is used: it stores nothing in the objects, and handles nothing itself.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import kopf

    from fleet_core.cluster.settings import Access
    from fleet_core.cluster.watching import Kind

    Heard = Callable[[str, bool, dict[str, Any]], None]

_log = logging.getLogger(__name__)

_IDLE_S: Final = 0.2
"""How long kopf keeps a task for an object after its last event: five seconds of each of 10,000
tasks would be most of the memory."""
_SERVER_TIMEOUT_S: Final = 300
_CLIENT_TIMEOUT_S: Final = 330
"""A watch that the server has forgotten ends by itself."""
_END_DEADLINE_S: Final = 5.0
_CLOSING_S: Final = 0.25
"""What aiohttp's own documentation asks to wait for the end of TLS connections."""
_RESTART_S: Final = 2.0


class KopfThread:
    """Watches kinds of objects; ``heard`` is called in its thread: plural, removed, object."""

    def __init__(self, access: Access, kinds: Sequence[Kind], heard: Heard) -> None:
        self._access = access
        self._kinds = kinds
        self._heard = heard
        self._stop = threading.Event()

    async def run(self) -> None:
        """Watch until cancelled; should kopf end by itself, it is started again."""
        while True:
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()
            thread = threading.Thread(
                target=self._work, args=(loop, ended), name="kopf", daemon=True
            )
            thread.start()
            try:
                await ended.wait()
            finally:
                self._stop.set()
                await asyncio.to_thread(thread.join, _END_DEADLINE_S)
            _log.error("the watch of the cluster ended; it is started again")
            self._stop.clear()
            await asyncio.sleep(_RESTART_S)

    def _work(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
        import kopf  # noqa: PLC0415 - slow to import, and in this thread nothing waits for it

        # It tells of each event; what goes wrong is told by the lists too, in our words.
        logging.getLogger("kopf").setLevel(logging.ERROR)

        try:
            watching = kopf.operator(
                registry=self._registry(kopf),
                settings=_settings(kopf),
                standalone=True,
                clusterwide=True,
                stop_flag=self._stop,
            )
            with asyncio.Runner() as runner:
                runner.run(watching)
                # aiohttp closes its connections a moment after it was told to.
                runner.run(asyncio.sleep(_CLOSING_S))
        except Exception:  # noqa: BLE001 - whatever it is, the watch is started again
            _log.exception("kopf failed")
        finally:
            try:
                loop.call_soon_threadsafe(ended.set)
            except RuntimeError:
                _log.debug("the program ended before its watch of the cluster did")

    def _registry(self, library: Any) -> kopf.OperatorRegistry:
        registry: kopf.OperatorRegistry = library.OperatorRegistry()
        for kind in self._kinds:
            library.on.event(kind.group, kind.version, kind.plural, registry=registry)(
                self._listener(kind.plural)
            )
        library.on.login(registry=registry)(lambda **_: self._access.for_kopf())
        return registry

    def _listener(self, plural: str) -> Callable[..., Any]:
        async def listen(event: dict[str, Any], **_: Any) -> None:
            self._heard(plural, event["type"] == "DELETED", event["object"])

        return listen


def _settings(library: Any) -> kopf.OperatorSettings:
    settings: kopf.OperatorSettings = library.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = _IDLE_S
    settings.queueing.exit_timeout = _IDLE_S
    settings.watching.server_timeout = _SERVER_TIMEOUT_S
    settings.watching.client_timeout = _CLIENT_TIMEOUT_S
    settings.networking.error_backoffs = [0.5, 1, 2, 5]
    return settings
