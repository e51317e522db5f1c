"""``fleet-agent install``: the agent as a service of systemd, started now and at every boot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from fleet_agent.config import load_config
from fleet_agent.device.files import write_whole
from fleet_agent.device.steps import Plan
from fleet_agent.device.unit import UNIT_NAME, unit_text
from fleet_core.errors import BrokenError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fleet_agent.device.service import Service

_UNIT_MODE: Final = 0o644
_CONFIG_MODE: Final = 0o600
"""The configuration holds the device's password."""
_KEYS_TO_FILL: Final = "agent.device_id, nats.urls and, if the server asks for it, [credentials]"


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """What the person asked for."""

    config: Path
    """Absolute."""
    start: bool = True
    linger: bool = False
    """Enable lingering, so that a user's service outlives the login."""


def example_config() -> str:
    """Return the configuration that is written where there is none: each key, with a comment."""
    return (files("fleet_agent.device") / "example_config.toml").read_text(encoding="utf-8")


def unit_of(service: Service, program: Sequence[str], config: Path) -> str:
    """Return the service's unit; raises InvalidInputError where a path cannot stand in it."""
    command = [*program, "run", "--config", str(config)]
    return unit_text(command, for_user=service.for_user)


def plan_install(service: Service, unit: str, options: InstallOptions) -> Plan:
    """Return what is to be done so that the service is there as asked.

    Raises:
        InvalidInputError: there is a configuration, and it is wrong: nothing is installed then.
        BrokenError: the present unit or configuration cannot be looked at.
    """
    plan = Plan()
    is_filled = _plan_config(plan, options.config)
    present = service.present()
    if present == unit:
        plan.kept.append(f"{service.unit}, which is as it should be")
    else:
        plan.add(f"write {service.unit}", partial(write_whole, service.unit, unit, _UNIT_MODE))
    if options.linger and not service.machine.lingers():
        plan.add(
            f"loginctl enable-linger {service.machine.user_name}", service.systemd.enable_linger
        )
    _plan_control(plan, service, "daemon-reload")
    _plan_start(plan, service, start=options.start and is_filled, anew=present not in (None, unit))
    _advise(plan, service, options, is_filled=is_filled)
    return plan


def _plan_config(plan: Plan, config: Path) -> bool:
    """Keep a sound configuration, or plan an example; returns whether the agent could start."""
    if _is_there(config):
        try:
            load_config({}, config)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"nothing was installed: {error.message}",
                path=error.path,
                expected=error.expected,
                remedy="mend the configuration, then install again",
            ) from error
        plan.kept.append(f"{config}, the configuration")
        return True
    plan.add(
        f"write {config}, an example that only its owner may read",
        partial(write_whole, config, example_config(), _CONFIG_MODE),
    )
    return False


def _is_there(config: Path) -> bool:
    try:
        return config.exists()
    except OSError as error:
        raise BrokenError(f"{config}: cannot be looked at: {error.strerror}") from error


def _plan_start(plan: Plan, service: Service, *, start: bool, anew: bool) -> None:
    """Plan that it starts at boot and, if asked, now; a unit that has changed is started anew."""
    if not start:
        _plan_control(plan, service, "enable", UNIT_NAME)
    elif anew:
        _plan_control(plan, service, "enable", UNIT_NAME)
        _plan_control(plan, service, "restart", UNIT_NAME)
    else:
        _plan_control(plan, service, "enable", "--now", UNIT_NAME)


def _plan_control(plan: Plan, service: Service, *arguments: str) -> None:
    systemd = service.systemd
    plan.add(" ".join(systemd.words(*arguments)), partial(systemd.control, *arguments))


def _advise(plan: Plan, service: Service, options: InstallOptions, *, is_filled: bool) -> None:
    machine = service.machine
    started = options.start and is_filled
    if not is_filled:
        plan.next.append(f"fill in {options.config}: {_KEYS_TO_FILL}")
    if service.for_user and not options.linger and not machine.lingers():
        plan.next.append(
            f"loginctl enable-linger {machine.user_name}, or the agent ends when you log out"
        )
    plan.next.append(f"fleet-agent check --config {options.config}")
    plan.next.append(service.command("status" if started else "start"))
    plan.next.append(f"{service.journal()} shows what it does")
    ignored = sorted(name for name in machine.environ if name.startswith("FLEET_AGENT_"))
    if ignored:
        plan.kept.append(f"{', '.join(ignored)}: of this shell only, the service does not see them")
