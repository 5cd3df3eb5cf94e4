"""Earthquake news as USGS gives it: a summary feed that is polled, and an FDSN service, in GeoJSON.

A recorded conversation, one Feature a line, is replayed by the sandbox's clock: each revision is
there when the clock reaches its ``updated``. A Feature whose status is ``deleted`` leaves the feed;
the service tells of it where ``includedeleted=true`` is asked for.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from aiohttp import web
from pydantic import Field

from geobservatory.errors import InputError
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.faults import Faults
from geobservatory.sandbox.servers.hub import Hub, HubConfig

Feature = Mapping[str, Any]
_DAY = timedelta(days=1)
_FEED_MAGNITUDE = 4.5
_LIMIT = 20_000


class UsgsConfig(HubConfig):
    """A feed of USGS."""

    kind: Literal["usgs"] = "usgs"
    conversation: Path = Field(description="Features, one a line (JSONL), as USGS revises them")


@dataclass(frozen=True)
class Revision:
    """A Feature of the conversation, and when it is published."""

    time: datetime
    feature: Feature


def read_revisions(path: Path) -> list[Revision]:
    """Read a conversation, in order of time.

    Raises
    ------
    InputError
        If it cannot be read, or a line is no Feature; the error names the line.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no conversation can be read there ({error})") from error
    revisions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            feature = json.loads(line)
            revisions.append(Revision(_moment(feature["properties"]["updated"]), feature))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}, line {number}: not a Feature of USGS ({error!r})") from error
    return sorted(revisions, key=lambda one: one.time)


class UsgsHub(Hub[UsgsConfig]):
    """One such feed."""

    kind: ClassVar[str] = "usgs"

    def __init__(self, config: UsgsConfig, clock: SandboxClock, faults: Faults) -> None:
        super().__init__(config, clock, faults)
        self._revisions = read_revisions(config.conversation)

    def routes(self) -> list[web.RouteDef]:
        """List what it answers."""
        return [
            web.get("/earthquakes/feed/v1.0/summary/4.5_day.geojson", self._feed),
            web.get("/fdsnws/event/1/query", self._query),
        ]

    def state(self) -> dict[str, Any]:
        """Describe it, for the control interface."""
        now = self.clock.now()
        published = sum(one.time <= now for one in self._revisions)
        return {**super().state(), "revisions": len(self._revisions), "published": published}

    async def _feed(self, request: web.Request) -> web.Response:
        """Answer with the last day, or that it is as it was."""
        until = self.view(request).listed
        found = [
            one
            for one in self._newest(until)
            if not _deleted(one)
            and (one["properties"]["mag"] or 0) >= _FEED_MAGNITUDE
            and _moment(one["properties"]["time"]) >= until - _DAY
        ]
        body = json.dumps(_collection(found)).encode()
        changed = max((one.time for one in self._revisions if one.time <= until), default=until)
        headers = {
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            "Last-Modified": format_datetime(changed, usegmt=True),
            "Cache-Control": "max-age=60",
        }
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers, content_type="application/json")

    async def _query(self, request: web.Request) -> web.Response:
        try:
            found = select(self._newest(self.view(request).listed), dict(request.query))
        except InputError as error:
            return web.Response(status=400, text=f"Error 400: Bad Request\n\n{error}\n")
        return web.json_response(_collection(found))

    def _newest(self, until: datetime) -> list[Feature]:
        """List the newest state of each earthquake; what was joined to another is not listed."""
        newest: dict[str, Feature] = {}
        for one in self._revisions:
            if one.time > until:
                break
            for name in str(one.feature["properties"].get("ids") or "").split(","):
                newest.pop(name, None)
            newest[one.feature["id"]] = one.feature
        return list(newest.values())


def select(features: list[Feature], query: Mapping[str, str]) -> list[Feature]:
    """Answer a query of the FDSN service.

    Raises
    ------
    InputError
        If a parameter is unknown or its value is wrong.
    """
    asked = dict(query)
    if asked.pop("format", "quakeml") != "geojson":
        raise InputError("the sandbox answers format=geojson only")
    deleted = asked.pop("includedeleted", "false") == "true"
    limit = asked.pop("limit", str(_LIMIT))
    if not limit.isdecimal() or not 1 <= int(limit) <= _LIMIT:
        raise InputError(f"Bad limit value {limit[:20]!r}. Valid values are 1 to {_LIMIT}.")
    if asked.pop("orderby", "time") != "time":
        raise InputError("the sandbox orders by time only")
    tests = [_test(name, text) for name, text in asked.items()]
    found = [
        one
        for one in features
        if (deleted or not _deleted(one)) and all(test(one["properties"]) for test in tests)
    ]
    found.sort(key=lambda one: one["properties"]["time"], reverse=True)
    return found[: int(limit)]


def _test(name: str, text: str) -> Callable[[Feature], bool]:
    try:
        match name:
            case "minmagnitude":
                least = float(text)
                return lambda event: event["mag"] is not None and event["mag"] >= least
            case "starttime":
                start = _time(text)
                return lambda event: _moment(event["time"]) >= start
            case "endtime":
                end = _time(text)
                return lambda event: _moment(event["time"]) <= end
            case "updatedafter":
                after = _time(text)
                return lambda event: _moment(event["updated"]) > after
    except ValueError as error:
        raise InputError(f"Bad {name} value {text[:40]!r}.") from error
    raise InputError(f"Unknown parameter {name[:40]!r}.")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _deleted(feature: Feature) -> bool:
    return bool(feature["properties"].get("status") == "deleted")


def _collection(found: list[Feature]) -> dict[str, Any]:
    metadata = {"status": 200, "count": len(found)}
    return {"type": "FeatureCollection", "metadata": metadata, "features": found}
