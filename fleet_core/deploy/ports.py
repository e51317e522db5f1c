"""Free loopback ports, and who listens on them."""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress
from pathlib import Path

from fleet_core.errors import BrokenError

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 10_000
_ATTEMPTS = 200
_DEFAULT_EPHEMERAL_START = 32_768
_LISTEN = "0A"


def free_port() -> int:
    """Return a loopback port that nobody listens on, below the kernel's ephemeral range.

    A port from that range would be a trap once its server is down: a client that keeps
    reconnecting on loopback may be given the very port as its source, connects to itself (TCP
    simultaneous open), and so keeps the server from coming back.

    Raises:
        BrokenError: no free port was found.
    """
    for _ in range(_ATTEMPTS):
        port = random.randrange(LOWEST_PORT, max(_ephemeral_start(), LOWEST_PORT + 1_000))
        if is_free(port):
            return port
    raise BrokenError("no free port was found on the loopback address")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _ephemeral_start() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except OSError:
        return _DEFAULT_EPHEMERAL_START


def listens(pid: int, port: int) -> bool:
    """Tell whether that very process listens on that TCP port.

    Read from ``/proc`` rather than tried by connecting, which cannot tell a stranger that took
    the port first.
    """
    sockets = _listening_sockets(port)
    return bool(sockets) and not sockets.isdisjoint(_open_files(pid))


def _listening_sockets(port: int) -> set[str]:
    found = set()
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        _, local, _, state, *rest = line.split()
        if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
            found.add(f"socket:[{rest[5]}]")
    return found


def _open_files(pid: int) -> set[str]:
    found = set()
    with suppress(FileNotFoundError):  # the process, or a file of it, ended while it was looked at
        for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - names are all that is needed
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))  # noqa: PTH115 - the text, no path
    return found
