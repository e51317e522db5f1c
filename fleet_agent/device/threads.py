"""Threads that nobody waits for at the end: a dead disk or name server must not hold up a person.

asyncio joins the threads of `asyncio.to_thread` and of name resolution before the loop closes, so
a deadline there ends the waiting but not the program.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class UnwaitedThreads(ThreadPoolExecutor):
    """Runs each function in a thread of its own, which ends with the process at the latest.

    For `asyncio.loop.set_default_executor`, which takes nothing but a ThreadPoolExecutor.
    """

    def submit(
        self,
        fn: Callable[_Arguments, _Result],
        /,
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> Future[_Result]:
        """Start the function at once; its result, or what it raises, is the future's."""
        future: Future[_Result] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - the future raises it where it is awaited
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as it is in the library
        """Wait for nothing."""
