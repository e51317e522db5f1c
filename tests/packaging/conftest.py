"""The wheel, built once, and clean environments in which nothing but a requested extra is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REPOSITORY = Path(__file__).parents[2]
DISTRIBUTION = "fleet-tui"
ROOMS = ("fleet_core", "fleet_agent", "fleet_tui")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the sources, without the package index."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    for room in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / room, source / room, ignore=ignored)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (built,) = (source / "dist").glob("*.whl")
    return built


@dataclass(frozen=True, slots=True)
class Installation:
    """An environment with the wheel in it."""

    directory: Path

    def run(self, command: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of its commands, away from the sources."""
        with self.start(command, *words) as process:
            stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def start(self, command: str, *words: str) -> subprocess.Popen[str]:
        """Start one of its commands, away from the sources."""
        return subprocess.Popen(
            [self.directory / "bin" / command, *words],
            cwd=self.directory,
            env={"PATH": str(self.directory / "bin"), "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="session")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Installation]:
    """Installs the wheel with an extra: what the wheel does not ask for is not there."""
    made: dict[str, Installation] = {}

    def installed(extra: str) -> Installation:
        if extra not in made:
            made[extra] = _install(wheel, extra, tmp_path_factory.mktemp(f"only-{extra}"))
        return made[extra]

    return installed


def _install(wheel: Path, extra: str, directory: Path) -> Installation:
    venv.create(directory, with_pip=False, symlinks=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", directory / "bin" / "python"),
            *("install", "--quiet", "--no-deps", "--no-index", "--no-compile", wheel),
        ],
        check=True,
        capture_output=True,
    )
    (site,) = (directory / "lib").glob("python*/site-packages")
    for name in _needed(wheel, extra):
        _link(metadata.distribution(name), site)
    return Installation(directory)


def requirements_of_wheel(wheel: Path) -> list[Requirement]:
    """What the wheel says it needs, with and without extras."""
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(name).decode())
    return [Requirement(line) for line in headers.get_all("Requires-Dist", [])]


def _needed(wheel: Path, extra: str) -> set[str]:
    """The distributions that an installer would bring along, with those that they need."""
    found: set[str] = set()
    own = requirements_of_wheel(wheel)
    waiting = list(_applying(own, {extra}))
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name == DISTRIBUTION:
            # An extra that is made of others.
            waiting += [one for one in _applying(own, requirement.extras) if one != requirement]
        elif name not in found:
            found.add(name)
            lines = metadata.requires(name) or []
            waiting += _applying(map(Requirement, lines), requirement.extras)
    return found


def _applying(requirements: Iterable[Requirement], extras: set[str]) -> Iterator[Requirement]:
    for requirement in requirements:
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield requirement


def _link(distribution: metadata.Distribution, site: Path) -> None:
    """Let the environment see one distribution of this one, and its commands."""
    files = distribution.files or ()
    for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
        (site / top).symlink_to(Path(str(distribution.locate_file(top))))
    commands = site.parents[2] / "bin"
    for file in files:
        if file.parts[-2:-1] == ("bin",) and file.parts[0] == "..":
            (commands / file.name).symlink_to(Path(str(distribution.locate_file(file))).resolve())
