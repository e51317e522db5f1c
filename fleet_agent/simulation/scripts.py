"""How a profile's images behave on one simulated device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_agent.runtime.behaviour import PLAIN, Behaviour, ImageBehaviour
from fleet_agent.simulation.drawing import between, fraction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_agent.runtime.contract import ContainerSpec
    from fleet_agent.simulation.profile import BehaviourPart, ImagePart


class ProfileScript:
    """The script of one device, drawn from the fleet's seed (a `Script`)."""

    __slots__ = ("_device_id", "_images", "_labels", "_seed")

    def __init__(
        self,
        images: Mapping[str, ImagePart],
        device_id: str,
        labels: Mapping[str, str],
        seed: int,
    ) -> None:
        self._images = images
        self._device_id = device_id
        self._labels = labels
        self._seed = seed

    def image(self, image: str) -> ImageBehaviour:
        """Return how pulling the image goes on this device."""
        part = self._images.get(image)
        if part is None:
            return PLAIN.image(image)
        return ImageBehaviour(
            pull_s=between(part.pull_s, self._draw(image, "pull")),
            missing=self._draw(image, "missing") < part.missing_share,
        )

    def container(self, spec: ContainerSpec) -> Behaviour:
        """Return what this run of the container does on this device."""
        image = spec.container.image
        part = self._images.get(image)
        chosen = None if part is None else self._choose(part, spec.attempt)
        if chosen is None:
            return PLAIN.container(spec)
        run = self._draw(image, spec.attempt, "run")
        return Behaviour(
            start_delay_s=between(chosen.start_delay_s, self._draw(image, spec.attempt, "start")),
            run_s=None if chosen.run_s is None else between(chosen.run_s, run),
            exit_code=chosen.exit_code,
            oom_killed=chosen.oom_killed,
            ignores_term=chosen.ignores_term,
            log=self._lines(chosen.log),
            last_words=self._lines(chosen.last_words),
            chatter=self._lines(chosen.chatter),
            chatter_every_s=chosen.chatter_every_s,
        )

    def _choose(self, part: ImagePart, attempt: int) -> BehaviourPart | None:
        """Return the behaviour whose share of the devices this device is in."""
        drawn = self._draw(part.image, "behaviour")
        for behaviour in part.behaviours:
            if any(self._labels.get(key) != value for key, value in behaviour.where.items()):
                continue
            if drawn >= behaviour.share:
                drawn -= behaviour.share
            elif behaviour.first_attempts is None or attempt < behaviour.first_attempts:
                return behaviour
            else:
                drawn = 0.0
        return None

    def _draw(self, *names: object) -> float:
        return fraction(self._seed, self._device_id, *names)

    def _lines(self, text: str) -> tuple[str, ...]:
        return tuple(text.replace("{device}", self._device_id).splitlines())
