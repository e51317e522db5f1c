"""A podman of a test run's own: its storage, its networks, its API socket, and a busybox image."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Final

BUSYBOX: Final = Path("/bin/busybox")
APPLETS: Final = (
    *("sh", "cat", "date", "dd", "echo", "false", "head", "httpd", "id", "kill", "ls", "mkdir"),
    *("nc", "nslookup", "nproc", "ping", "ps", "seq", "sleep", "tail", "test", "touch", "true"),
    *("wget", "yes"),
)
IMAGE: Final = "localhost/fleet-test:1"
START_DEADLINE_S: Final = 20.0
_CONFIGURATION: Final = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
{engine}
[network]
network_config_dir = "{networks}"
default_subnet_pools = [{{"base" = "10.{pool}.0.0/16", "size" = 24}}]
"""
_RUNC: Final = 'runtime = "runc"\ncgroup_manager = "cgroupfs"'
"""Where cgroups are hybrid, crun refuses to work."""


def why_not() -> str:
    """Return why podman cannot be used here; empty if it can."""
    if shutil.which("podman") is None:
        return "podman is not installed"
    if not BUSYBOX.exists():
        return "busybox-static is not installed"
    if os.geteuid() != 0:
        return "not root: a private storage of a rootless podman is not set up here"
    return ""


class PodmanMachine:
    """A podman that shares nothing with the machine's own; `start` and `stop` its service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "podman.sock"
        self._service: subprocess.Popen[bytes] | None = None
        engine = _RUNC if shutil.which("runc") else ""
        # Networks of several test processes must not overlap.
        pool = 100 + os.getpid() % 150
        self._configuration = folder / "containers.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(engine=engine, networks=folder / "networks", pool=pool)
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a program that starts this podman has in its environment."""
        return {**os.environ, "CONTAINERS_CONF": str(self._configuration)}

    @property
    def command(self) -> list[str]:
        """The podman command line up to the command."""
        parts = {"--root": "root", "--runroot": "run", "--tmpdir": "tmp"}
        folders = [word for flag, name in parts.items() for word in (flag, f"{self.folder}/{name}")]
        return ["podman", *folders]

    def write_executable(self) -> Path:
        """Return a program that is this podman, for an agent that starts podman itself."""
        path = self.folder / "podman"
        words = " ".join(self.command)
        path.write_text(
            f'#!/bin/sh\nexport CONTAINERS_CONF={self._configuration}\nexec {words} "$@"\n'
        )
        path.chmod(0o755)
        return path

    def run(self, *arguments: str, stdin: bytes | None = None, check: bool = True) -> str:
        """Run a podman command to its end; returns what it wrote."""
        done = subprocess.run(
            [*self.command, *arguments],
            input=stdin,
            env=self.environment,
            check=False,
            capture_output=True,
            timeout=60,
        )
        if check and done.returncode:
            raise AssertionError(f"podman {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout.decode()

    def make_image(self, name: str = IMAGE, *changes: str) -> None:
        """Make a busybox image; `changes` are Dockerfile instructions, as `CMD ["/bin/sh"]`."""
        flags = [word for change in changes for word in ("--change", change)]
        self.run("import", *flags, "-", name, stdin=busybox_layer())

    def start(self) -> None:
        """Start the API service unless it runs, and wait until it answers."""
        if self._service is not None and self._service.poll() is None:
            return
        self.socket.unlink(missing_ok=True)
        self._service = subprocess.Popen(
            [*self.command, "system", "service", "--time=0", f"unix://{self.socket}"],
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_DEADLINE_S
        while not self.socket.exists():
            assert time.monotonic() < deadline, "podman's service did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill the API service; containers go on."""
        if self._service is not None:
            self._service.kill()
            self._service.wait()
            self._service = None

    def clean(self) -> None:
        """Remove all containers and networks."""
        self.run("rm", "--all", "--force", "--time", "0")
        self.run("network", "prune", "--force")
        self.run("volume", "prune", "--force")

    def destroy(self) -> None:
        """Leave nothing behind."""
        self.stop()
        self.clean()
        self.run("umount", "--all", "--force", check=False)
        for mount in _mounts_below(self.folder):
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def _mounts_below(folder: Path) -> list[str]:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((mount for mount in mounts if mount.startswith(f"{folder}/")), reverse=True)


def busybox_layer() -> bytes:
    """Return a tar archive of a root file system with busybox in it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder in ("bin", "etc", "tmp", "data", "proc", "sys", "dev", "run"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        archive.add(BUSYBOX, "bin/busybox")
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return packed.getvalue()
