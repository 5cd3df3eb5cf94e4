"""Times as people give them on the command line."""

from datetime import UTC, datetime
from typing import Annotated

import typer

Time = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
]


def utc(time: datetime | None) -> datetime | None:
    """Say of a time that it is UTC."""
    return None if time is None else time.replace(tzinfo=UTC)
