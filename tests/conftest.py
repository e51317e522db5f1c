"""Fixtures that every room's tests share."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.nats_server import NatsServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_configure() -> None:
    """Hear of ctrl+c again.

    A shell that runs the tests in the background has it ignored, and whatever they start would too.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A running server of this test's own."""
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop()
