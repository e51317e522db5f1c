"""The way to the NATS servers: their names resolve, and their ports take connections."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fleet_agent.device.checks.finding import Finding, Level, Subject, fail, ok, skip

if TYPE_CHECKING:
    from collections.abc import Iterable

_DNS: Final = "dns"
_TCP: Final = "tcp"
_DEFAULT_PORT: Final = 4222
_DEADLINE_S: Final = 4.0
UNCONFIGURED: Final = "not looked at: the configuration must be right first"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one server of the configuration is."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def check_dns(subject: Subject) -> list[Finding]:
    """Resolve the servers' names."""
    if subject.config is None:
        return [skip(_DNS, UNCONFIGURED)]
    hosts = dict.fromkeys(each.host for each in endpoints(subject.config.nats.urls))
    return among(await asyncio.gather(*map(_resolve, hosts)))


async def check_tcp(subject: Subject) -> list[Finding]:
    """Connect to the servers' ports."""
    if subject.config is None:
        return [skip(_TCP, UNCONFIGURED)]
    servers = dict.fromkeys(endpoints(subject.config.nats.urls))
    return among(await asyncio.gather(*map(_connect, servers)))


def endpoints(urls: Iterable[str]) -> list[Endpoint]:
    """Return where the servers are, without the credentials that a URL may carry."""
    found = []
    for url in urls:
        parts = urlsplit(url)
        try:
            port = parts.port or _DEFAULT_PORT
        except ValueError:  # no number, or none that a port can have
            port = 0
        found.append(Endpoint(parts.hostname or "", port))
    return found


def among(findings: Iterable[Finding]) -> list[Finding]:
    """Return what was found of several servers of which one is enough: failures become warnings."""
    found = list(findings)
    if any(each.level is Level.OK for each in found):
        return [
            replace(each, level=Level.WARN) if each.level is Level.FAIL else each for each in found
        ]
    return found


async def _resolve(host: str) -> Finding:
    try:
        return ok(_DNS, f"{ipaddress.ip_address(host)} is an address")
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_DEADLINE_S):
            told = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        reason = _reason(error)
        return fail(_DNS, f"{host}: {reason}", "check [nats] urls, and the network's DNS server")
    addresses = dict.fromkeys(str(entry[4][0]) for entry in told)
    return ok(_DNS, f"{host} is {', '.join(addresses)}")


async def _connect(server: Endpoint) -> Finding:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(_DEADLINE_S):
            _, writer = await asyncio.open_connection(server.host, server.port)
    except (OSError, UnicodeError, TimeoutError) as error:
        remedy = "is the server running, and does a firewall let its port through?"
        return fail(_TCP, f"{server}: {_reason(error)}", remedy)
    took_ms = (time.perf_counter() - began) * 1_000
    writer.close()
    return ok(_TCP, f"{server} takes connections, in {took_ms:.1f} ms")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return f"no answer within {_DEADLINE_S:g} s"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        # asyncio puts the call itself into `strerror`.
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
