"""Every key of the app has an id and a description, and no two mean different things at once."""

from __future__ import annotations

from collections import defaultdict

import pytest
from textual.screen import Screen
from textual.widgets import Input

from fleet_tui.app import binding_chains
from fleet_tui.keymap import YIELDING_IDS, bindings_of, resolve_keymap
from fleet_tui.views import VIEWS

CHAINS = binding_chains()
TEXTUALS = [*bindings_of(Screen), *bindings_of(Input)]
"""What dialogs and the prompt take over from Textual: for typing, and from button to button."""


def test_every_view_has_its_chain() -> None:
    assert {kind.name for kind in VIEWS} <= set(CHAINS)


@pytest.mark.parametrize("view", CHAINS)
def test_every_binding_has_an_id_and_a_description(view: str) -> None:
    assert CHAINS[view]
    for binding in CHAINS[view]:
        if binding in TEXTUALS:
            continue
        assert binding.id, binding
        assert binding.description, binding


@pytest.mark.parametrize("view", [kind.name for kind in VIEWS])
def test_no_key_means_two_things_in_one_view(view: str) -> None:
    meanings: dict[str, set[str]] = defaultdict(set)
    for binding in CHAINS[view]:
        if binding.id and binding.id not in YIELDING_IDS:
            meanings[binding.key].add(binding.id)
    clashes = {key: ids for key, ids in meanings.items() if len(ids) > 1}
    assert not clashes


def test_what_is_done_everywhere_has_the_same_key_everywhere() -> None:
    words: dict[str, set[str]] = defaultdict(set)
    for chain in CHAINS.values():
        for binding in chain:
            if binding.id:
                words[binding.id.partition(".")[2]].add(binding.key)
    for binding_id in ("ping", "logs", "redeploy", "yaml"):
        assert len(words[binding_id]) == 1, binding_id


def test_every_id_can_be_remapped() -> None:
    ids = {binding.id for chain in CHAINS.values() for binding in chain if binding.id}
    for binding_id in ids:
        keymap = resolve_keymap(CHAINS, {binding_id: "f12"})
        assert keymap.keys == {binding_id: "f12"}, keymap.problems
