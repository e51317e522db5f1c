"""The app: one fleet, a stack of views on it, what is typed, and the jobs that were started."""

from __future__ import annotations

import gc
import logging
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.widgets import Input

from fleet_core.contracts.text import printable
from fleet_core.errors import CannotConnectError, FleetError
from fleet_core.operations.config_file import VIEW_DIGITS
from fleet_core.operations.plans import Friction, Request
from fleet_core.view import FilterError, FleetView
from fleet_tui import commands
from fleet_tui.editing import edit
from fleet_tui.header import Picture, header_cells
from fleet_tui.history import History
from fleet_tui.jobs import Job, Jobs, JobState
from fleet_tui.keymap import bindings_of, resolve_keymap
from fleet_tui.locations import Location
from fleet_tui.screens.fleet_screen import FleetScreen
from fleet_tui.screens.table_screen import TableScreen
from fleet_tui.screens.waiting import WaitingScreen
from fleet_tui.sources.log_choice import deployments_on
from fleet_tui.terminal.terminal_app import TerminalApp
from fleet_tui.views import VIEWS, view_kind
from fleet_tui.visits import Visits
from fleet_tui.widgets.cell_line import CellLine
from fleet_tui.widgets.prompt import COMMAND, FILTER, SHELL, PromptInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.dom import DOMNode

    from fleet_core.operations.contexts import Context
    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import Plan, TargetResult
    from fleet_tui.opening import Opener
    from fleet_tui.options import Options
    from fleet_tui.sources.exec_places import Place
    from fleet_tui.table.source import Cell

_log = logging.getLogger(__name__)

EXIT_FAILED: Final = 1
EXIT_CANNOT_CONNECT: Final = 3
TICKS_PER_S: Final = 4.0
_LOADING_S: Final = 60.0
"""A fleet that takes longer to load is shown as far as it has come."""
MESSAGE_S: Final = 6.0
"""How long a message stands in the last line."""
_ROOT_DEPTH: Final = 2
"""Screens that are never left by going back: Textual's own first one, and the root view."""
_KEPT_HINTS: Final = ("app.help", "app.back")
"""Hints that stand at the right, in this order."""
_MANY_TARGETS: Final = 2
"""From here on a job is shown as a list; one target's result fits in a line."""


class FleetApp(TerminalApp, inherit_bindings=False):
    """The terminal UI for fleet operators."""

    CSS_PATH = "fleet.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority, it acts before the next key is handed out: people type ahead.
        Binding(
            "colon",
            "prompt_command",
            "Command",
            key_display=":",
            id="app.command",
            priority=True,
        ),
        Binding("question_mark", "go('help')", "Help", key_display="?", id="app.help"),
        Binding("escape", "back", "Back", id="app.back"),
        Binding("ctrl+p", "palette", "Palette", id="app.palette"),
        Binding("left_square_bracket", "visit(-1)", "Earlier view", show=False, id="app.earlier"),
        Binding("right_square_bracket", "visit(1)", "Later view", show=False, id="app.later"),
        *(
            Binding(
                digit, f"saved_view('{digit}')", "Saved view", show=False, id=f"app.view-{digit}"
            )
            for digit in VIEW_DIGITS
        ),
        Binding("ctrl+c", "leave", "Leave", show=False, priority=True, id="app.leave"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, id="app.quit"),
    ]

    def __init__(
        self,
        opener: Opener,
        options: Options,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.options = options
        self.clock = clock
        """Unix seconds."""
        self.fleet: LiveFleet | None = None
        """None until it is open, a moment after the start."""
        self.jobs = Jobs(clock, self._job_result, self._job_ended)
        self.visits = Visits()
        where = options.state_directory
        self.histories = {
            COMMAND: History(where / "commands" if where else None),
            FILTER: History(where / "filters" if where else None),
            SHELL: History(where / "shell-lines" if where else None),
        }
        self._opener = opener
        self._empty_view = FleetView()
        self._message: Cell = ("", "text")
        self._message_until_s = 0.0

    # The fleet

    @property
    def view(self) -> FleetView:
        """The read model; empty before the fleet is open."""
        return self.fleet.view if self.fleet is not None else self._empty_view

    @property
    def context(self) -> Context | None:
        """Where the fleet is; None until it is open."""
        return self.fleet.context if self.fleet is not None else None

    @property
    def is_stale(self) -> bool:
        """Whether what is shown may be old."""
        return self.fleet is not None and self.fleet.stats.stale

    async def on_mount(self) -> None:
        """Show the first view, then connect."""
        self.set_interval(1 / TICKS_PER_S, self.tick)
        self._take_keys()
        self.push_screen(WaitingScreen(self._opener.waiting))
        self.connect()

    def _take_keys(self) -> None:
        """Give the bindings the keys that the config file wants for them."""
        if self.options.keys:
            keymap = resolve_keymap(binding_chains(), self.options.keys)
            self.set_keymap(dict(keymap.keys))
            for problem in keymap.problems:
                self.notify(problem, severity="warning", markup=False, timeout=20)

    @work(exclusive=True, group="connect")
    async def connect(self) -> None:
        """Open the fleet, and the view that was asked for."""
        try:
            self.fleet = await self._opener.open()
        except FleetError as error:
            code = EXIT_CANNOT_CONNECT if isinstance(error, CannotConnectError) else EXIT_FAILED
            self.exit(code, return_code=code, message=Text(printable(f"fleet-tui: {error}")))
            return
        self.go("devices")
        if self.options.command:
            self.run_line(self.options.command)
        await self._settle_once_loaded(self.fleet)

    async def _settle_once_loaded(self, fleet: LiveFleet) -> None:
        """Keep the garbage collector out of the loading: it would look at everything many times."""
        if self.is_headless:
            return
        gc.disable()
        try:
            await fleet.synced(_LOADING_S)
        except FleetError as error:
            _log.info("not everything could be loaded: %s", error)
        finally:
            gc.enable()
            self.settle()

    async def on_unmount(self) -> None:
        """End jobs, feeds and the link."""
        await self.jobs.close()
        if self.fleet is not None:
            await self.fleet.close()
        await self._opener.close()

    # Painting

    def tick(self) -> None:
        """Let time pass: judge healths, and paint what changed on the view that is seen."""
        if not self.is_running:
            return  # the screens are being taken down
        self.view.tick(self.clock())
        screen = self.screen
        for seen in (screen, *self.screen_stack[-2:-1]) if screen.is_modal else (screen,):
            if isinstance(seen, FleetScreen):
                self.paint(seen)

    def paint(self, screen: FleetScreen) -> None:
        """Paint a view with its header and hints, where they changed."""
        if not screen.is_mounted:
            return
        screen.tick()
        width = self.size.width
        screen.query_one("#header", CellLine).say(*header_cells(self.picture(), width))
        screen.query_one("#hints", CellLine).say(*self._hints(screen))

    def picture(self) -> Picture:
        """Return what the header is made from."""
        view, fleet = self.view, self.fleet
        stats = fleet.stats if fleet is not None else None
        link = fleet.link if fleet is not None else None
        context = self.context
        servers = ", ".join(context.servers) if context is not None else ""
        return Picture(
            context=context.name if context is not None else "",
            link=link.state.value if link is not None else "connecting",
            server=(link.server if link is not None else "") or servers,
            rtt_ms=link.rtt_ms if link is not None else None,
            data_age_s=stats.data_age_s if stats is not None else None,
            events_per_s=stats.events_per_s if stats is not None else 0.0,
            stale_because=fleet.stale_because if fleet is not None else "",
            synced=stats.synced if stats is not None else False,
            devices=len(view.devices),
            health=view.health_counts,
            deployments=len(view.deployments),
            failing=len(view.failing),
            frames_dropped=self.frames_dropped,
            rejected=stats.rejected if stats is not None else 0,
            read_only=context is not None and context.read_only,
        )

    def say(self, text: str, style: str = "text", *, seconds: float = MESSAGE_S) -> None:
        """Tell something in the last line, for a while."""
        self._message = (f" {text}", style)
        self._message_until_s = time.monotonic() + seconds
        screen = self.screen
        if isinstance(screen, FleetScreen):
            self.paint(screen)

    def complain(self, error: FleetError) -> None:
        """Tell what went wrong, and the remedy."""
        self.say(str(error), "error", seconds=2 * MESSAGE_S)

    def _hints(self, screen: FleetScreen) -> tuple[Sequence[Cell], Sequence[Cell]]:
        if time.monotonic() < self._message_until_s:
            return [self._message], []
        hints: dict[str, list[Cell]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.description:
                key = self.get_key_display(binding)
                words = f" {binding.description.lower()}  "
                hints[binding.id or key] = [(key, "accent"), (words, "dim")]
        # The right side is never cut: whoever finds no more hints finds the help, and the way out.
        right = [cell for kept in _KEPT_HINTS for cell in hints.pop(kept, [])]
        return [(" ", "dim"), *(cell for hint in hints.values() for cell in hint)], right

    # Going places

    def go(self, line: str) -> None:
        """Open a view, as typed after the colon: ``devices /site=berlin``."""
        location = Location.parse(line)
        try:
            kind = view_kind(location.view)
            screen = kind.open(location)
            screen.check(self)
        except FleetError as error:
            self.complain(error)
            return
        self.visits.add(str(location))
        if kind.root:
            while len(self.screen_stack) > _ROOT_DEPTH:
                self.pop_screen()
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def action_go(self, line: str) -> None:
        """Open a view, by a key."""
        self.go(line)

    async def action_back(self) -> None:
        """Undo what narrows the view, else go back to where this one was opened from."""
        screen = self.screen
        if not isinstance(screen, FleetScreen):
            return
        if screen.back():
            self.paint(screen)
        elif len(self.screen_stack) > _ROOT_DEPTH:
            self.pop_screen()

    def action_visit(self, step: int) -> None:
        """Open the view that was visited before, or after."""
        line = self.visits.move(step)
        if line is None:
            self.say("no view was visited before" if step < 0 else "this is the latest view", "dim")
            return
        with self.visits.held():
            self.go(line)

    def action_saved_view(self, digit: str) -> None:
        """Carry out the command that the config file gives to a digit."""
        self.run_line(self.options.views[digit])

    def action_leave(self) -> None:
        """Close what is typed into, else a dialog, else end the app, as ctrl+c does everywhere."""
        screen = self.screen
        if isinstance(screen, FleetScreen) and screen.prompt.is_open:
            screen.leave_prompt()
        elif screen.is_modal:
            screen.dismiss(None)
        else:
            self.exit(0)

    # What is typed

    @property
    def is_typing(self) -> bool:
        """Whether keys go into a text now."""
        return isinstance(self.focused, Input)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the colon to whoever types it, and to dialogs; offer only views that are saved."""
        if action == "prompt_command" and (self.is_typing or self.screen.is_modal):
            return False
        if action == "saved_view":
            return bool(parameters) and parameters[0] in self.options.views
        return super().check_action(action, parameters)

    def action_prompt_command(self) -> None:
        """Type a command."""
        screen = self.screen
        if isinstance(screen, FleetScreen):
            screen.prompt.open(COMMAND, "", lambda text: commands.completions(self, text))

    @work(group="palette")
    async def action_palette(self) -> None:
        """Find a view, a command, a deployment or a device by a part of its name."""
        from fleet_tui.dialogs.palette import palette_of  # noqa: PLC0415 - seldom needed

        chosen = await self.push_screen_wait(palette_of(self))
        if chosen is None:
            return
        screen = self.screen
        if chosen.bound is not None:
            await self.run_action(chosen.bound.binding.action, chosen.bound.node)
        elif not chosen.line.endswith(" "):
            self.run_line(chosen.line)
        elif isinstance(screen, FleetScreen):
            screen.prompt.open(COMMAND, chosen.line, partial(commands.completions, self))

    def run_line(self, line: str) -> None:
        """Carry out what was typed after the colon."""
        try:
            commands.run_line(self, line)
        except FleetError as error:
            self.complain(error)

    def try_filter(self, screen: FleetScreen, text: str) -> bool:
        """Apply a filter as far as it is one; tell what is wrong beneath the line."""
        try:
            screen.apply_filter(text)
        except FilterError as error:
            screen.prompt.show_error(str(error), error.position)
            return False
        return True

    def sort(self, column: str, descending: bool | None) -> None:  # noqa: FBT001 -- None is a third
        """Sort the table that is seen.

        Raises:
            FleetError: it has no such column, or there is no table.
        """
        screen = self.screen
        if isinstance(screen, TableScreen):
            screen.sort_by(column, descending=descending)
        else:
            self.say("this view is not sorted", "warning")

    @property
    def sortable(self) -> Sequence[str]:
        """The columns that the table that is seen can be sorted by."""
        screen = self.screen
        return screen.rows.sortable if isinstance(screen, TableScreen) else ()

    # What is done

    @work(group="start")
    async def start(self, name: str, request: Request, *, ask: bool = False) -> None:
        """Plan an operation, have it confirmed where it changes the fleet, and run it as a job.

        With ``ask`` it is confirmed even where its plan would not need it.
        """
        if self.fleet is None:
            self.say("not connected yet", "warning")
            return
        # The operations, and all that they need, would delay the first paint.
        from fleet_core.operations.registry import operation  # noqa: PLC0415 - as said above

        chosen = operation(name)
        try:
            if chosen.mutates:
                self.fleet.context.refuse_if_read_only(name)
            plan = await chosen.plan(self.fleet, request)
        except FleetError as error:
            self.complain(error)
            return
        if ask and chosen.mutates and plan.friction is Friction.NONE:
            plan = replace(plan, friction=Friction.CONFIRM, confirmation="y")
        if not plan.changes:
            self.say(f"{plan.title}: nothing to change", "ok")
        elif await self.confirmed(plan):
            job = self.jobs.start(self.fleet, chosen, request, plan)
            self._show_started(job)

    def _show_started(self, job: Job) -> None:
        if self.screen.is_modal or (job.total < _MANY_TARGETS and job.operation.id != "exec"):
            self.say(f"{job.plan.title} …", "dim")
        else:
            self.go(f"{'job' if job.total >= _MANY_TARGETS else 'output'} {job.number}")

    async def confirmed(self, plan: Plan) -> bool:
        """Show a plan that changes the fleet; return whether it is to be carried out."""
        if plan.friction is Friction.NONE:
            return True
        if self.screen.is_modal:
            # A second dialog above the first would take the answer that was meant for the first.
            self.say("answer what is asked first", "warning")
            return False
        from fleet_tui.dialogs.plan_dialog import PlanDialog  # noqa: PLC0415 - seldom needed

        chosen = await self.push_screen_wait(PlanDialog(plan))
        return chosen is True

    @work(group="choose")
    async def choose_and_start(self, devices: tuple[str, ...], name: str) -> None:
        """Start an operation on devices for one of their deployments, chosen from a list."""
        chosen = await self._chosen(f"{name} which deployment?", deployments_on(self.view, devices))
        if chosen:
            self.start(name, Request(deployment=chosen, devices=devices))

    def ask_exec(self, place: Place, *, choose: bool = True) -> None:
        """Ask in which container, where that is open, and for a shell line; then run it there."""
        if self.fleet is None:
            self.say("not connected yet", "warning")
            return
        try:
            self.fleet.context.refuse_if_read_only("exec")
        except FleetError as error:
            self.complain(error)
            return
        places = place.choices(self.view) if choose else [place]
        if len(places) == 1:
            self._ask_shell_line(places[0])
            return
        from fleet_tui.dialogs.choose_dialog import ChooseDialog  # noqa: PLC0415 - seldom needed

        named = {each.name: each for each in places}
        offers = [(name, each.about) for name, each in named.items()]
        self.push_screen(
            ChooseDialog("exec in which container?", offers),
            lambda name: self._ask_shell_line(named[name]) if name is not None else None,
        )

    def _ask_shell_line(self, place: Place) -> None:
        # At once, not in a task: the next key may be in the queue already.
        screen = self.screen
        if isinstance(screen, FleetScreen):
            screen.ask_shell_line(str(place), partial(self.exec_line, place))

    def exec_line(self, place: Place, line: str, *, ask: bool = False) -> None:
        """Run a shell line, and show what it says."""
        self.start("exec", place.request(line), ask=ask)

    def choose_logs(self, devices: tuple[str, ...]) -> None:
        """Follow the logs of devices; the view asks for the deployment and the container."""
        self.go(f"logs {','.join(devices)}")

    @work(group="edit")
    async def edit_deployment(self, key: str) -> None:
        """Edit a Deployment (``namespace/name``) in the person's editor, and apply the result."""
        namespace, _, name = key.partition("/")
        row = self.view.deployments.get((namespace, name))
        if row is None or self.options.restricted:
            self.say("this session opens no editor" if row else f"there is no {key}", "error")
            return
        try:
            from fleet_core.operations.reports import deployment_manifest  # noqa: PLC0415
            from fleet_core.operations.yaml_text import to_yaml  # noqa: PLC0415 - seldom needed

            manifest = await edit(self, to_yaml(deployment_manifest(row)))
        except FleetError as error:
            self.complain(error)
            return
        if manifest is None:
            self.say("nothing was changed", "dim")
        else:
            self.start("apply", Request(manifest=manifest, source=f"{name}.yaml"))

    async def _chosen(self, question: str, found: dict[str, int]) -> str | None:
        from fleet_tui.dialogs.choose_dialog import ChooseDialog  # noqa: PLC0415 - seldom needed

        if not found:
            self.say("nothing is deployed there", "warning")
            return None
        if len(found) == 1:
            return next(iter(found))
        offers = [(each, f"on {count:,}") for each, count in sorted(found.items())]
        return await self.push_screen_wait(ChooseDialog(question, offers))

    def _job_result(self, job: Job, result: TargetResult) -> None:
        if job.operation.id == "ping":
            self.view.record_ping(result.target, result.rtt_ms)
        if job.total < _MANY_TARGETS and not self._shows_output(job):
            rtt = "" if result.rtt_ms is None else f" in {result.rtt_ms:.1f} ms"
            style = "ok" if result.ok else "error"
            self.say(f"{job.operation.id} {result.target}: {result.message}{rtt}", style)

    def _shows_output(self, job: Job) -> bool:
        screen = self.screen
        return isinstance(screen, FleetScreen) and str(screen.location) == f":output {job.number}"

    def _job_ended(self, job: Job) -> None:
        if not self.is_running:
            return
        if job.state is JobState.FAILED:
            self.say(f"{job.plan.title}: {job.error}", "error", seconds=2 * MESSAGE_S)
        elif job.total >= _MANY_TARGETS and job.state is JobState.DONE:
            words = f"{job.plan.title}: {job.ok:,} ok, {job.failed:,} failed"
            self.say(words, "warning" if job.failed else "ok")


def binding_chains() -> dict[str, list[Binding]]:
    """Return, for each view and dialog, the bindings that are in force together there."""
    from fleet_tui.dialogs.choose_dialog import ChooseDialog  # noqa: PLC0415 - seldom needed
    from fleet_tui.dialogs.palette import Palette  # noqa: PLC0415 - as above
    from fleet_tui.dialogs.plan_dialog import PlanDialog  # noqa: PLC0415 - as above

    chains: dict[str, Sequence[type[DOMNode]]] = {
        # A dialog, and the prompt while somebody types, take all keys but those of priority.
        "choices": [ChooseDialog],
        "palette": [Palette],
        "plan": [PlanDialog],
        "prompt": [PromptInput],
    }
    for kind in VIEWS:
        screen = kind.screen_class()
        chains[kind.name] = [FleetApp, screen, *screen.body_widgets]
    return {
        name: [binding for node in nodes for binding in bindings_of(node)]
        for name, nodes in chains.items()
    }
