"""The virtual table: `VirtualTable` draws a `TableSource` of any length, line by line.

A screen makes a source (over the view's columns, or a `StaticSource`), mounts a table on it, and
calls `VirtualTable.tick` from its own timer::

    table = VirtualTable(DeviceSource(view), id="devices")
    self.set_interval(1 / 4, table.tick)
"""

from fleet_tui.table.ages import age_text, span_text
from fleet_tui.table.source import Align, Cell, Column, Sort, TableSource
from fleet_tui.table.static_source import StaticSource
from fleet_tui.table.virtual_table import VirtualTable

__all__ = [
    "Align",
    "Cell",
    "Column",
    "Sort",
    "StaticSource",
    "TableSource",
    "VirtualTable",
    "age_text",
    "span_text",
]
