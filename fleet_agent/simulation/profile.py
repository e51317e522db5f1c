"""Profiles: what a simulated fleet consists of, how its images behave, and what goes wrong.

A profile is a TOML file; `profiles/demo.toml` shows everything that can stand in one. Weights are
relative, shares are parts of 1, ranges are ``[least, most]`` and drawn from the fleet's seed.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from fleet_core.contracts.base import field_path
from fleet_core.contracts.devices import Fact
from fleet_core.contracts.names import DnsLabel, ImageReference, LabelMap, LabelValue
from fleet_core.errors import InvalidInputError

MAX_PROFILE_BYTES: Final = 1024 * 1024

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, le=30 * 24 * 3600)]


def _to_range(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (float(value), float(value))
    if isinstance(value, list):
        return tuple(value)
    return value


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("expected [least, most]")
    return value


Range = Annotated[tuple[Seconds, Seconds], BeforeValidator(_to_range), AfterValidator(_ascending)]
"""Seconds, drawn evenly between the two; a single number stands for both."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class SitePart(_Part):
    """One site: its devices are called ``<site>-<kind>-<number>``."""

    weight: Weight = 1.0
    kinds: Annotated[dict[DnsLabel, Weight], Field(min_length=1)] = Field(
        default_factory=lambda: {"device": 1.0}
    )
    hardware: dict[LabelValue, Weight] = Field(default_factory=dict)
    """Weights of the machines there; empty means all of the profile's alike."""
    labels: LabelMap = Field(default_factory=dict)


class HardwarePart(_Part):
    """One kind of machine; its key is the value of the label ``hw``."""

    model: Fact = ""
    arch: Fact = ""
    os: Fact = ""
    kernel: Fact = ""
    cpus: Annotated[int, Field(ge=0)] = 1
    memory_bytes: Annotated[int, Field(ge=0)] = 1 << 30
    disk_bytes: Annotated[int, Field(ge=0)] = 8 << 30


class FaultsPart(_Part):
    """Shares of devices that are not well, and how."""

    offline: Share = 0.0
    """They work for ``offline_after_s``, and are never heard of again."""
    offline_after_s: Range = (10.0, 60.0)
    absent: Share = 0.0
    """They reported themselves once, and never sent a heartbeat."""
    stale: Share = 0.0
    """Their heartbeats come ``stale_factor`` times too seldom."""
    stale_factor: Annotated[float, Field(gt=1, le=100)] = 4.0
    flapping: Share = 0.0
    """They come and go."""
    flapping_up_s: Range = (60.0, 180.0)
    flapping_down_s: Range = (30.0, 120.0)
    slow: Share = 0.0
    """They answer late."""
    slow_reply_s: Range = (0.2, 1.5)

    @model_validator(mode="after")
    def _shares_add_up(self) -> Self:
        if self.offline + self.absent + self.stale + self.flapping + self.slow > 1:
            raise ValueError("expected shares that add up to at most 1")
        return self


class MovementPart(_Part):
    """What happens to healthy devices now and then; 0 means never."""

    agent_restart_every_s: Seconds = 0.0
    """On average, on each device: the agent ends and comes back to its running containers."""
    agent_restart_takes_s: Range = (1.0, 5.0)
    reboot_every_s: Seconds = 0.0
    """On average, on each device: everything ends, and comes back with a new boot id."""
    reboot_takes_s: Range = (15.0, 45.0)


class BehaviourPart(_Part):
    """How containers of an image behave on a share of the devices."""

    share: Share = 1.0
    where: LabelMap = Field(default_factory=dict)
    """Only on devices with these labels."""
    first_attempts: Annotated[int, Field(ge=1)] | None = None
    """Only so many runs behave so; later ones as if this part were not there."""
    start_delay_s: Range = (0.0, 0.0)
    run_s: Range | None = None
    """How long it runs before it exits; without it, for ever."""
    exit_code: Annotated[int, Field(ge=-1, le=255)] = 0
    oom_killed: bool = False
    ignores_term: bool = False
    log: str = ""
    """Written at the start; ``{device}`` stands for the device's id."""
    last_words: str = ""
    """Written at the end."""
    chatter: str = ""
    """Lines of which one is written every ``chatter_every_s``."""
    chatter_every_s: Annotated[float, Field(gt=0, le=86_400)] = 5.0


class ImagePart(_Part):
    """One image: how it is pulled, and how its containers behave."""

    image: ImageReference
    pull_s: Range = (0.0, 0.0)
    missing_share: Share = 0.0
    """On so many devices it cannot be found."""
    behaviours: list[BehaviourPart] = Field(default_factory=list)
    """Tried in order: each takes its share of all devices, the rest goes on to the next.

    Where none is left, an init container exits 0 at once and a service runs for ever.
    """


class Profile(_Part):
    """A whole simulated fleet."""

    versions: Annotated[dict[str, Weight], Field(min_length=1)]
    """Agent versions and their weights."""
    rings: Annotated[dict[LabelValue, Weight], Field(min_length=1)] = Field(
        default_factory=lambda: {"1": 1.0}
    )
    sites: Annotated[dict[DnsLabel, SitePart], Field(min_length=1)]
    hardware: Annotated[dict[LabelValue, HardwarePart], Field(min_length=1)]
    faults: FaultsPart = Field(default_factory=FaultsPart)
    movement: MovementPart = Field(default_factory=MovementPart)
    images: list[ImagePart] = Field(default_factory=list)

    @model_validator(mode="after")
    def _hardware_is_known(self) -> Self:
        for name, site in self.sites.items():
            for hardware in site.hardware:
                if hardware not in self.hardware:
                    known = ", ".join(self.hardware)
                    raise ValueError(f"sites.{name}.hardware: expected one of {known}")
        return self


def load_profile(name_or_path: str) -> Profile:
    """Return a profile that comes with the agent, by name, or one from a file.

    Raises:
        InvalidInputError: there is none, or it is malformed; the message names the file and key.
    """
    path = Path(name_or_path)
    if "/" not in name_or_path and path.suffix != ".toml":
        shipped = resources.files("fleet_agent") / "profiles" / f"{name_or_path}.toml"
        if not shipped.is_file():
            raise InvalidInputError(
                f"there is no profile named {name_or_path!r}",
                path="--profile",
                expected=f"one of {', '.join(shipped_profiles())}, or the path of a TOML file",
                remedy=f"one of {', '.join(shipped_profiles())}, or the path of a TOML file",
            )
        return parse_profile(shipped.read_bytes(), f"profile {name_or_path}")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_PROFILE_BYTES + 1)
    except OSError as error:
        raise InvalidInputError(
            f"{path}: cannot be read: {error.strerror}", expected="a readable TOML file"
        ) from error
    return parse_profile(raw, str(path))


def shipped_profiles() -> list[str]:
    """Return the names of the profiles that come with the agent."""
    folder = resources.files("fleet_agent") / "profiles"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def parse_profile(raw: bytes, source: str) -> Profile:
    """Read a profile.

    Raises:
        InvalidInputError: it is malformed; the message names the source, the key, and what was
            expected.
    """
    if len(raw) > MAX_PROFILE_BYTES:
        raise InvalidInputError(f"{source}: larger than {MAX_PROFILE_BYTES} bytes")
    try:
        return Profile.model_validate(tomllib.loads(raw.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{source}: not TOML: {error}", expected="a TOML file") from error
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        path = field_path(detail["loc"])
        said = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            said = "unknown key"
        raise InvalidInputError(f"{source}: {path}: {said}", path=path, expected=said) from error
