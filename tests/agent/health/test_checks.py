"""The HTTP and TCP checks against real servers on the loopback: friendly, slow, rude and absent."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from fleet_agent import __version__
from fleet_agent.health.checks import MAX_ANSWER_BYTES, CheckResult, check_http, check_tcp
from fleet_agent.health.monitor import HealthMonitor, Running
from fleet_agent.runtime.contract import ContainerKey
from fleet_core.clock import SystemClock
from fleet_core.contracts.probes import Health, HttpCheck, Probe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HERE = "127.0.0.1"
SOON_S = 0.1
NEVER_S = 60.0
TOO_LATE = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"


class Server:
    """Answers every connection the same way, and keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.request = b""
        self.port = 0
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            self.request = await reader.readuntil(b"\r\n\r\n")
            self.asked.set()
            await self._answer(reader, writer)
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    @property
    def headers(self) -> dict[str, str]:
        lines = self.request.decode().split("\r\n")[1:-2]
        return dict(line.split(": ", 1) for line in lines)


@asynccontextmanager
async def serving(answer: Any, address: str = HERE) -> AsyncIterator[Server]:
    """Run a server; after it neither a task nor a connection may be left."""
    if isinstance(answer, bytes):
        text = answer

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(text)

    server = Server(answer)
    listening = await asyncio.start_server(server.serve, address, 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            _, left = await asyncio.wait(others, timeout=1.0)
            assert not left


async def get(server: Server, timeout_s: float = 1.0, **changes: Any) -> CheckResult:
    check = HttpCheck(port=server.port, **changes)
    return await check_http(HERE, server.port, check, timeout_s)


def answer(status: str, body: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else takes."""
    with closing(socket.socket()) as taken:
        taken.bind((HERE, 0))
        yield taken.getsockname()[1]


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose listener takes no more connections: who asks waits."""
    with closing(socket.socket()) as listening:
        listening.bind((HERE, 0))
        listening.listen(0)
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            assert client.connect_ex(listening.getsockname()) in {0, errno.EINPROGRESS}
            waiting.append(client)
        yield listening.getsockname()[1]
        for client in waiting:
            client.close()


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "302 Found", "399 Odd", "200"])
async def test_200_to_399_is_a_success(status: str) -> None:
    async with serving(answer(status)) as server:
        assert await get(server) == CheckResult(succeeded=True)


@pytest.mark.parametrize("code", [199, 400, 404, 500, 503])
async def test_any_other_status_is_a_failure_in_the_kubelets_words(code: int) -> None:
    async with serving(answer(f"{code} Whatever", "body")) as server:
        told = await get(server)
    assert told == CheckResult(False, f"HTTP probe failed with statuscode: {code}")


async def test_a_redirect_is_not_followed(closed_port: int) -> None:
    location = f"HTTP/1.1 302 Found\r\nLocation: http://{HERE}:{closed_port}/\r\n\r\n".encode()
    async with serving(location) as server:
        assert (await get(server)).succeeded


async def test_the_request_says_who_asks() -> None:
    async with serving(answer("200 OK")) as server:
        await get(server, path="/ready?deep=1#not-sent", headers={"X-Why": "probe"})
    assert server.request.startswith(b"GET /ready?deep=1 HTTP/1.1\r\n")
    assert server.headers == {
        "Host": f"{HERE}:{server.port}",
        "User-Agent": f"fleet-probe/{__version__}",
        "Accept": "*/*",
        "X-Why": "probe",
        "Connection": "close",
    }


async def test_the_scores_headers_replace_ours_but_not_the_close() -> None:
    headers = {"host": "shop.example", "USER-AGENT": "me", "connection": "keep-alive"}
    async with serving(answer("200 OK")) as server:
        await get(server, headers=headers)
    assert server.headers == {
        "host": "shop.example",
        "USER-AGENT": "me",
        "Accept": "*/*",
        "Connection": "close",
    }


async def test_ipv6() -> None:
    try:
        async with serving(answer("200 OK"), "::1") as server:
            check = HttpCheck(port=server.port)
            assert (await check_http("::1", server.port, check, 1.0)).succeeded
            assert server.headers["Host"] == f"[::1]:{server.port}"
            assert (await check_tcp("::1", server.port, 1.0)).succeeded
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\xff\x15\x03\x01",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 20\r\n\r\n",
        b"HTTP/1.1 200 OK",
        b"200 OK\r\n\r\n",
        b"\n",
        b"x" * (3 * MAX_ANSWER_BYTES),
    ],
)
async def test_what_is_not_http_is_a_failure(garbage: bytes) -> None:
    async with serving(garbage) as server:
        told = await get(server)
    assert not told.succeeded
    assert "malformed HTTP response" in told.message
    assert len(told.message) < 400
    assert told.message.isprintable()


async def test_an_end_without_an_answer() -> None:
    async with serving(b"") as server:
        told = await get(server)
    assert told == CheckResult(False, f'Get "http://{HERE}:{server.port}/": EOF')


async def test_a_reset() -> None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Closing without lingering resets the connection.
        linger_none = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_none)

    async with serving(reset) as server:
        told = await get(server)
    where = f"{HERE}:{server.port}"
    said = f'Get "http://{where}/": read tcp {where}: read: connection reset by peer'
    assert told == CheckResult(False, said)


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 20"])
async def test_a_server_that_is_too_slow(beginning: bytes) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        await reader.read()

    async with serving(slow) as server:
        told = await get(server, SOON_S)
    assert told == CheckResult(False, f'Get "http://{HERE}:{server.port}/": {TOO_LATE}')


@pytest.mark.parametrize(("status", "succeeded"), [("200 OK", True), ("500 Oh", False)])
async def test_the_status_line_counts_even_if_the_body_never_comes(
    status: str,
    succeeded: bool,  # noqa: FBT001 - the expected result
) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(status)[:-2])
        await reader.read()

    async with serving(half) as server:
        assert (await get(server, SOON_S)).succeeded is succeeded


@pytest.mark.parametrize("chunk", [b"X-Again: and again\r\n" * 50, b"\r\n\r\n" + b"x" * 1_000])
async def test_headers_and_bodies_without_end_are_not_read_to_the_end(chunk: bytes) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(chunk)
            await writer.drain()

    async with serving(endless) as server:
        started_s = asyncio.get_running_loop().time()
        assert (await get(server, NEVER_S)).succeeded
        assert asyncio.get_running_loop().time() - started_s < 1.0


async def test_a_server_of_short_answers_sees_an_orderly_end() -> None:
    ends: list[bytes] = []

    async def by_and_by(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in (b"HTTP/1.1 200 OK\r\n", b"\r\n", b"fine"):
            writer.write(part)
            await asyncio.sleep(0.01)
        writer.write_eof()
        # Where what was sent is not read, the connection is reset, and this raises.
        ends.append(await reader.read())

    async with serving(by_and_by) as server:
        assert (await get(server)).succeeded
    assert ends == [b""]


async def test_a_closed_port(closed_port: int) -> None:
    where = f"{HERE}:{closed_port}"
    refused = f"dial tcp {where}: connect: connection refused"
    assert await check_tcp(HERE, closed_port, 1.0) == CheckResult(False, refused)
    told = await check_http(HERE, closed_port, HttpCheck(port=closed_port), 1.0)
    assert told == CheckResult(False, f'Get "http://{where}/": {refused}')


async def test_a_connection_that_is_not_taken(full_port: int) -> None:
    where = f"{HERE}:{full_port}"
    told = await check_tcp(HERE, full_port, SOON_S)
    assert told == CheckResult(False, f"dial tcp {where}: i/o timeout")
    told = await check_http(HERE, full_port, HttpCheck(port=80), SOON_S)
    assert told == CheckResult(False, f'Get "http://{where}/": {TOO_LATE}')


async def test_a_connection_that_is_taken_is_all_that_tcp_asks_for() -> None:
    async with serving(b"") as server:
        assert await check_tcp(HERE, server.port, 1.0) == CheckResult(succeeded=True)


async def test_an_address_that_is_none() -> None:
    told = await check_tcp("999.0.0.1", 80, 1.0)
    assert not told.succeeded
    assert told.message.startswith("dial tcp 999.0.0.1:80: connect: ")


async def test_a_check_that_is_cancelled_leaves_nothing_behind() -> None:
    async def slow(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(slow) as server:
        task = asyncio.create_task(get(server, NEVER_S))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_monitor_learns_from_a_real_server_that_a_container_is_ready() -> None:
    told = asyncio.Event()
    key = ContainerKey("shop", "web")

    async with serving(answer("200 OK")) as server:

        async def check(_key: ContainerKey, probe: Probe) -> CheckResult:
            assert probe.http is not None
            return await check_http(HERE, server.port, probe.http, probe.timeout_s)

        clock = SystemClock()
        monitor = HealthMonitor(clock, check, lambda _: told.set())
        health = Health(readiness=Probe(http=HttpCheck(port=80)))
        monitor.follow("shop", {key: Running("a", health, clock.monotonic())})
        assert not monitor.of(key, "a").ready
        await asyncio.wait_for(told.wait(), 1.0)
        assert monitor.of(key, "a").ready
        await monitor.close()
