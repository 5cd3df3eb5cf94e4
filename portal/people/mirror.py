"""How the mirror does: what it holds, how complete each day is, and why not all is there."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.mirror_plan import Day
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.report import Status, completeness, status
from geobservatory.settings.model import Settings
from portal.access.guard import Reader
from portal.people import charts
from portal.people.frame import page
from portal.shared import Places, Shared

_DAYS = 30
# Counting a window of a million products takes seconds.
_LIMIT_S = 30.0
_TURNS = {"fetch": "to be fetched", "later": "to be tried again", "no room": "without room"}


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(include_in_schema=False)
    counting = Places(2, _LIMIT_S)

    @made.api_route("/mirror", methods=["GET", "HEAD"])
    async def mirror(request: Request, who: Reader) -> Response:
        settings = shared.settings
        if not settings.mirror.streams:
            return page(request, shared, who, "mirror.html", now=None, days={})
        now, days = await shared.ask(lambda catalog: _read(settings, catalog), counting)
        return page(
            request, shared, who, "mirror.html",
            now=now, days=days, turns=_TURNS, disk=_disk(now), hours=_hours,
        )  # fmt: skip

    return made


def _read(settings: Settings, catalog: Catalog) -> tuple[Status, dict[str, dict[str, Any]]]:
    archive = Archive(settings, catalog)
    told = {
        wanted.name: completeness(archive, wanted, min(_DAYS, wanted.stream.window_days))
        for wanted in archive.streams
    }
    now = status(archive)
    return now, {name: _shown(days, now.at) for name, days in told.items()}


def _shown(days: list[Day], now: datetime) -> dict[str, Any]:
    """Give a stream's days: as a picture, and in a table the newest first, with the reasons."""
    known = {day.day.date(): day for day in days}
    # Of a young mirror too a bar is a day, and not the page.
    first = min([*known, now.date() - timedelta(days=13)])
    whole = [first + timedelta(days=n) for n in range((now.date() - first).days + 1)]
    expected, held = sum(day.expected for day in days), sum(day.held for day in days)
    label = f"Products of each day of sensing that lie here: {held} of {expected}"
    parts = [
        (day, known[day].held if day in known else 0, known[day].expected if day in known else 0)
        for day in whole
    ]
    return {"picture": charts.filled(parts, label), "rows": days[::-1]}


def _disk(now: Status) -> Markup:
    share = now.used / now.disk if now.disk else 0.0
    return charts.meter(share, f"{share:.0%} of the mirror's disk is used")


def _hours(seconds: float) -> str:
    """Write how long something took."""
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
