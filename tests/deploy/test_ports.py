"""Ports for local servers: free, out of the kernel's way, and known to be the server's own."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from fleet_core.deploy import ports
from fleet_core.deploy.ports import LOOPBACK, free_port, is_free, listens
from fleet_core.errors import BrokenError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server


def test_a_free_port_is_free_and_below_the_ephemeral_range() -> None:
    port = free_port()
    assert is_free(port)
    with socket.socket() as anybody:
        anybody.bind((LOOPBACK, 0))
        assert ports.LOWEST_PORT <= port < anybody.getsockname()[1]


def test_a_taken_port_is_not_free(listener: socket.socket) -> None:
    assert not is_free(listener.getsockname()[1])


def test_a_machine_without_free_ports_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: False)
    with pytest.raises(BrokenError, match="no free port"):
        free_port()


def test_a_listening_process_is_told_from_a_stranger(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert listens(os.getpid(), port)
    assert not listens(os.getppid(), port)
    assert not listens(2**22 + 1, port), "a pid that cannot exist"


def test_a_connected_port_is_not_a_listening_one(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as client:
        assert not listens(os.getpid(), client.getsockname()[1])
