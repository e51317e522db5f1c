"""Views saved in the config file: one command for each digit from 1 to 9."""

import pytest

from fleet_core.errors import InvalidInputError
from fleet_core.operations.config_file import parse_config


def test_the_table_of_views_is_read() -> None:
    config = parse_config({"views": {"1": ":devices /site=berlin", "9": "failures"}})
    assert config.views == {"1": ":devices /site=berlin", "9": "failures"}
    assert parse_config({}).views == {}


@pytest.mark.parametrize(
    ("views", "key"),
    [({"0": "devices"}, "views.0"), ({"1": 5}, "views.1"), ({"berlin": "devices"}, "views.berlin")],
)
def test_what_is_wrong_is_named(views: dict[str, object], key: str) -> None:
    with pytest.raises(InvalidInputError, match=key):
        parse_config({"views": views})


def test_the_table_itself_must_be_one() -> None:
    with pytest.raises(InvalidInputError, match="views: expected a table"):
        parse_config({"views": "devices"})
