"""Makes the screenshots from the running app: ``python -m screenshots.generate [SCENE…]``.

Each scene runs `fleet-tui` without a terminal on the real demo's fleet, presses keys, and saves
what is on the screen as SVG; where ``rsvg-convert`` is installed (Debian: librsvg2-bin,
fonts-firacode, fonts-dejavu-core), a PNG is made of it too.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor"})

from fleet_tui.terminal.environment import prepare_environment

prepare_environment(os.environ)

from fleet_tui.app import FleetApp
from fleet_tui.opening import DemoOpener
from fleet_tui.options import Options

HERE = Path(__file__).resolve().parent
DEVICES = 200
SIZE = (150, 38)
SETTLE_S = 110.0
"""Until the demo's troubles have shown up: devices go offline 50 s after they fall silent."""


@dataclass(frozen=True)
class Scene:
    """A screenshot: what is typed, and how long to wait for what it shows."""

    name: str
    keys: tuple[str, ...]
    wait_s: float = 1.5


def typed(line: str) -> tuple[str, ...]:
    """Return the keys of a command line, with enter."""
    return ("colon", *_keys(line), "enter")


def _keys(text: str) -> tuple[str, ...]:
    names = {
        "/": "slash",
        " ": "space",
        "=": "equals_sign",
        "!": "exclamation_mark",
        "-": "minus",
        "~": "tilde",
        ":": "colon",
    }
    return tuple(names.get(letter, letter) for letter in text)


SCENES = (
    Scene("devices", typed("devices")),
    Scene("filter", (*typed("devices"), "slash", *_keys("site=berlin status!=offline kiosk"))),
    Scene("deployments", typed("deployments")),
    Scene("failures", (*typed("failures"), "enter")),
    Scene("rollouts", typed("rollouts")),
    Scene("device", (*typed("devices /cause~InitTimeout"), "enter"), 2.5),
    Scene("ping", (*typed("ping /site=berlin"),), 2.0),
    Scene("plan", (*typed("redeploy web /site=berlin"),), 2.0),
    Scene("logs", (*typed("devices /deploy:web=ok"), "enter", "l"), 4.0),
    Scene("help", (*typed("devices"), "question_mark")),
)


async def shoot(names: list[str]) -> None:
    """Run the app once, and go through the scenes."""
    app = FleetApp(DemoOpener(DEVICES, read_only=False), Options())
    async with app.run_test(size=SIZE) as pilot:
        while app.fleet is None or not app.fleet.stats.synced or len(app.view.devices) < DEVICES:
            await pilot.pause(0.2)
        await pilot.pause(SETTLE_S)
        for scene in SCENES:
            if names and scene.name not in names:
                continue
            await pilot.press(*scene.keys)
            await pilot.pause(scene.wait_s)
            path = HERE / f"{scene.name}.svg"
            path.write_text(without_web_fonts(app.export_screenshot(title="fleet-tui")))
            convert(path)
            print(path.name)
            while app.screen.is_modal:
                await pilot.press("escape")
                await pilot.pause(0.2)
            await pilot.press("escape", "escape", "escape")


def without_web_fonts(svg: str) -> str:
    """Return a picture that asks no other host for anything; the reader's own fonts are used."""
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def convert(svg: Path) -> None:
    """Make a PNG of an SVG; without ``xml:space`` the converter swallows runs of blanks."""
    converter = shutil.which("rsvg-convert")
    if converter is None:
        return
    text = svg.read_text(encoding="utf-8").replace("<text ", '<text xml:space="preserve" ')
    subprocess.run(
        [converter, "--format", "png", "--zoom", "0.75", "--output", str(svg.with_suffix(".png"))],
        input=text.encode(),
        check=True,
    )


if __name__ == "__main__":
    asyncio.run(shoot(sys.argv[1:]))
