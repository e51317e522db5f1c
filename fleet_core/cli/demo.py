"""``fleet demo``: a live fleet on this machine, until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from fleet_core.cli.arguments import DEMO_HELP
from fleet_core.cli.examples import examples_of
from fleet_core.cli.exit_codes import FAILED, INTERRUPTED, OK
from fleet_core.cli.output import Output, narrate
from fleet_core.contracts.text import printable_lines
from fleet_core.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_core.deploy.local import LocalTopology

DEFAULT_DEVICES: Final = 200
MAX_DEVICES: Final = 20_000
DESCRIPTION: Final = """\
Runs a live fleet on this machine: NATS, the operator, and N simulated devices, each running the
real agent code. The URL of NATS is the first line on standard output. It ends with ctrl+c (exit
code 130), SIGTERM or SIGHUP (0), and leaves nothing behind, however it ends."""
_STDIN: Final = 0
_STDIN_CHUNK_BYTES: Final = 4096


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the sub-command to the command line; returns its parser."""
    parser = commands.add_parser(
        "demo",
        help=DEMO_HELP,
        description=DESCRIPTION,
        epilog=examples_of("demo"),
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "devices",
        nargs="?",
        type=_device_count,
        default=DEFAULT_DEVICES,
        metavar="N",
        help=f"how many devices (default: {DEFAULT_DEVICES})",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="another seed gives another fleet (default: 1)"
    )
    parser.add_argument(
        "--until-eof",
        action="store_true",
        help="also end when standard input ends: for programs that start the demo",
    )
    parser.set_defaults(command="fleet_core.cli.demo:demo")
    return parser


def _device_count(text: str) -> int:
    count = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= count <= MAX_DEVICES:
        raise argparse.ArgumentTypeError(f"expected 1 to {MAX_DEVICES} devices, not {text[:20]!r}")
    return count


async def demo(options: argparse.Namespace) -> int:
    """Run the demo; the log of what failed is told in full, line by line."""
    try:
        return await run_demo(options.devices, options.seed, until_eof=options.until_eof)
    except FleetError as error:
        for line in printable_lines(f"fleet: {error}"):
            narrate(line)
        return FAILED


async def run_demo(devices: int, seed: int, *, until_eof: bool) -> int:
    """Run the demo's fleet until a signal, or the end of standard input with ``until_eof``.

    Prints the URL of NATS as the first line on standard output; everything else is told on
    standard error. Returns the exit code: 130 after ctrl+c, 0 after SIGTERM, SIGHUP and the end of
    standard input. A second signal does not wait for the clearing up, which goes on all the same.

    Raises:
        FleetError: the fleet did not come up, or a part of it cannot be kept running.
    """
    from fleet_core.deploy.local import LocalTopology  # noqa: PLC0415 - only where it is run

    ending = _Ending()
    ending.listen(until_eof=until_eof)
    async with LocalTopology(report=narrate) as topology:
        narrate(f"starting NATS, the operator and {devices} devices on this machine …")
        running = asyncio.create_task(_run(topology, devices, seed))
        waiting = asyncio.create_task(ending.wait())
        try:
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            narrate("ending the demo …")
        finally:
            running.cancel()
            waiting.cancel()
            await asyncio.wait({running, waiting})
    narrate("the demo has ended; nothing of it is left")
    return ending.exit_code


async def _run(topology: LocalTopology, devices: int, seed: int) -> NoReturn:
    bringing_up = asyncio.create_task(_bring_up(topology, devices, seed))
    breaking = asyncio.create_task(topology.wait_broken())
    try:
        await asyncio.wait({bringing_up, breaking}, return_when=asyncio.FIRST_COMPLETED)
        if bringing_up.done():
            bringing_up.result()
        await breaking
    finally:
        bringing_up.cancel()
        breaking.cancel()
        await asyncio.wait({bringing_up, breaking})


async def _bring_up(topology: LocalTopology, devices: int, seed: int) -> None:
    from fleet_core.deploy.demo_fleet import deploy_demo_fleet  # noqa: PLC0415 - as above

    url = await deploy_demo_fleet(topology, devices=devices, seed=seed, on_url=Output().line)
    narrate(
        f"{devices} devices are up. In another terminal:\n"
        f"  export FLEET_NATS_URL={url}\n"
        "  fleet-tui\n"
        "  fleet get devices\n"
        "  fleet get failures\n"
        "  fleet ping --filter 'site=berlin'\n"
        f"Logs: {topology.directory / 'logs'}\n"
        "ctrl+c ends the demo and removes everything."
    )


class _Ending:
    """How the demo is told to end: by signals, or by the end of standard input."""

    def __init__(self) -> None:
        self.exit_code = OK
        self._told = asyncio.Event()

    def listen(self, *, until_eof: bool) -> None:
        loop = asyncio.get_running_loop()
        for signum, exit_code in (
            (signal.SIGINT, INTERRUPTED),
            (signal.SIGTERM, OK),
            (signal.SIGHUP, OK),
        ):
            if signal.getsignal(signum) is not signal.SIG_IGN:  # as nohup does with SIGHUP
                loop.add_signal_handler(signum, self._on_signal, exit_code)
        if until_eof:
            threading.Thread(
                target=_wait_for_eof,
                args=(lambda: loop.call_soon_threadsafe(self._told.set),),
                name="standard input",
                daemon=True,
            ).start()

    async def wait(self) -> None:
        await self._told.wait()

    def _on_signal(self, exit_code: int) -> None:
        if self._told.is_set():
            os._exit(exit_code)  # in a hurry: the guardian sees to the rest
        self.exit_code = exit_code
        self._told.set()


def _wait_for_eof(then: Callable[[], object]) -> None:
    with suppress(OSError):
        while os.read(_STDIN, _STDIN_CHUNK_BYTES):
            pass  # what is typed means nothing here
    with suppress(RuntimeError):  # the loop has ended already
        then()
