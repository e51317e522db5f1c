"""Facts of the machine, as far as an unprivileged process can learn them."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import Final

from fleet_core.contracts.devices import Inventory
from fleet_core.contracts.text import printable

_FACT_MAX: Final = 256
_BOOT_ID: Final = "proc/sys/kernel/random/boot_id"
_DEVICE_TREE_MODEL: Final = "proc/device-tree/model"
_DMI_PRODUCT: Final = "sys/devices/virtual/dmi/id/product_name"


def read_boot_id(root: Path = Path("/")) -> str:
    """Return the kernel's id of this boot; empty where there is none to be read."""
    return _read(root / _BOOT_ID)[:64]


def read_inventory(root: Path = Path("/"), *, runtime: str | None = None) -> Inventory:
    """Return what is known of the machine; what cannot be read is left out."""
    return Inventory(
        hostname=_fact(platform.node()),
        os=_fact(_os_name(root)),
        kernel=_fact(platform.release()),
        arch=_fact(platform.machine()),
        model=_fact(_read(root / _DEVICE_TREE_MODEL) or _read(root / _DMI_PRODUCT)),
        cpus=os.cpu_count(),
        memory_bytes=_memory_bytes(root),
        disk_bytes=_disk_bytes(root),
        runtime=_fact(runtime or ""),
    )


def _fact(text: str) -> str | None:
    return printable(text, _FACT_MAX) or None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""


def _os_name(root: Path) -> str:
    """Return PRETTY_NAME of os-release(5)."""
    for line in _read(root / "etc/os-release").splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip().strip("\"'")
    return ""


def _memory_bytes(root: Path) -> int | None:
    for line in _read(root / "proc/meminfo").splitlines():
        words = line.split()
        if words and words[0] == "MemTotal:" and words[1].isdigit():
            return int(words[1]) * 1024
    return None


def _disk_bytes(root: Path) -> int | None:
    try:
        return shutil.disk_usage(root).total
    except OSError:
        return None
