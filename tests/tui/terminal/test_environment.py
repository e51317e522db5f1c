"""What the environment says of the terminal decides colours, mouse and what Textual is told."""

import pytest

from fleet_tui.terminal.environment import (
    ColorDepth,
    color_depth,
    is_remote,
    prepare_environment,
)


@pytest.mark.parametrize(
    ("environ", "depth"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, ColorDepth.TRUECOLOR),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, ColorDepth.TRUECOLOR),
        ({"TERM": "xterm-direct"}, ColorDepth.TRUECOLOR),
        ({"TERM": "xterm-256color"}, ColorDepth.EIGHT_BIT),
        ({"TERM": "tmux-256color"}, ColorDepth.EIGHT_BIT),
        ({"TERM": "xterm-kitty"}, ColorDepth.EIGHT_BIT),
        ({"TERM": "xterm"}, ColorDepth.SIXTEEN),
        ({"TERM": "screen"}, ColorDepth.SIXTEEN),
        ({"TERM": "linux"}, ColorDepth.SIXTEEN),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, ColorDepth.NONE),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, ColorDepth.EIGHT_BIT),
    ],
)
def test_colours(environ: dict[str, str], depth: ColorDepth) -> None:
    assert color_depth(environ) is depth


def test_a_session_over_ssh_is_known_by_its_variables() -> None:
    assert is_remote({"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"})
    assert is_remote({"SSH_TTY": "/dev/pts/3"})
    assert not is_remote({"TERM": "xterm"})


def test_textual_is_told_the_frame_rate_and_the_colours() -> None:
    environ = {"TERM": "xterm-256color"}
    prepare_environment(environ)
    assert environ["TEXTUAL_FPS"] == "120"
    assert environ["TEXTUAL_COLOR_SYSTEM"] == "256"


def test_what_a_person_has_set_is_left_alone() -> None:
    environ = {"TERM": "xterm-256color", "TEXTUAL_FPS": "15", "TEXTUAL_COLOR_SYSTEM": "truecolor"}
    prepare_environment(environ)
    assert environ["TEXTUAL_FPS"] == "15"
    assert environ["TEXTUAL_COLOR_SYSTEM"] == "truecolor"


def test_an_empty_no_color_asks_for_nothing() -> None:
    environ = {"TERM": "xterm-256color", "NO_COLOR": ""}
    prepare_environment(environ)
    assert "NO_COLOR" not in environ
