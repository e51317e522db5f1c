"""Deployments: what should run where, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from fleet_core.operations.plans import Request
from fleet_tui.screens.table_screen import TableScreen
from fleet_tui.sources.deployment_source import DeploymentSource

if TYPE_CHECKING:
    from fleet_tui.sources.live_source import LiveSource


class DeploymentsScreen(TableScreen):
    """All Deployments."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "redeploy", "Redeploy", id="deployment.redeploy"),
        Binding("ctrl+d", "delete", "Delete", id="deployment.delete"),
        Binding("y", "yaml", "YAML", id="deployment.yaml"),
        Binding("e", "edit", "Edit", id="deployment.edit"),
        Binding("o", "rollout", "Rollout", id="deployment.rollout"),
        Binding("H", "history", "History", id="deployment.history"),
        Binding("U", "undo", "Undo", show=False, id="deployment.undo"),
    ]

    view_name = "deployments"
    noun = "deployments"

    def make_source(self) -> LiveSource:
        """Return the source of the table."""
        return DeploymentSource(self.view, clock=self.fleet_app.clock)

    def open_row(self, key: str) -> None:
        """Show the devices that should run it, and how they stand."""
        name = key.partition("/")[2]
        self.fleet_app.run_line(f"devices-of {name}")

    def action_redeploy(self) -> None:
        """Run the Deployment under the cursor again on all of its devices."""
        key = self.table.cursor_key
        if key is not None:
            namespace, _, name = key.partition("/")
            self.fleet_app.start("redeploy", Request(namespace=namespace, deployment=name))

    def action_delete(self) -> None:
        """Delete the Deployment under the cursor."""
        key = self.table.cursor_key
        if key is not None:
            namespace, _, name = key.partition("/")
            self.fleet_app.start("delete", Request(namespace=namespace, deployment=name))

    def action_yaml(self) -> None:
        """Show the Deployment under the cursor as YAML."""
        key = self.table.cursor_key
        if key is not None:
            self.fleet_app.go(f"yaml deployment {key}")

    def action_edit(self) -> None:
        """Edit the Deployment under the cursor, and apply what comes of it."""
        key = self.table.cursor_key
        if key is not None:
            self.fleet_app.edit_deployment(key)

    def action_rollout(self) -> None:
        """Show how far the rollout of the Deployment under the cursor is."""
        key = self.table.cursor_key
        if key is not None:
            self.fleet_app.go(f"rollouts /name={key.partition('/')[2]}")

    def action_history(self) -> None:
        """Show the versions of the Deployment under the cursor."""
        key = self.table.cursor_key
        if key is not None:
            self.fleet_app.go(f"history {key}")

    def action_undo(self) -> None:
        """Go back to the version before, once its plan is confirmed."""
        key = self.table.cursor_key
        if key is not None:
            namespace, _, name = key.partition("/")
            self.fleet_app.start("rollout-undo", Request(namespace=namespace, deployment=name))
