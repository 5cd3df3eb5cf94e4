"""How commands print: tables for people, JSON for programs."""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def print_json(value: Any) -> None:
    """Print `value` as indented JSON; dates, paths and models become strings or objects.

    What is no number becomes null: JSON has no other word for it.
    """
    value = _finite(value)
    json.dump(value, sys.stdout, indent=2, default=_plain, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def print_json_line(value: Any) -> None:
    """Print `value` as JSON on one line, at once, for programs that read as it comes."""
    text = json.dumps(_finite(value), default=_plain, ensure_ascii=False, allow_nan=False)
    print(text, flush=True)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print `rows` as a table; columns fold rather than lose text when the terminal is narrow."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # As text, not markup: what is printed may hold brackets of its own.
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    # Output that goes to a file or pipe is not squeezed into 80 columns.
    console = Console() if sys.stdout.isatty() else Console(width=160, color_system=None)
    # Beside the table, not of it: a title may be longer than the table is wide.
    if title:
        console.print(Text(title))
    console.print(table)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
