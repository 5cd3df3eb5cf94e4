"""``/api/hubs``: how the hubs do. Accounts of hubs, and their addresses, are nobody's business."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.measurements import Kind, Rollup
from geobservatory.hubs.outlook import deliveries
from geobservatory.probing.statistics import spread
from geobservatory.settings.model import Hub
from portal.api.asking import Limit, TimesText, read_times
from portal.api.models import HourOut, HubOut, IncidentOut, MeasurementOut
from portal.api.problems import problems
from portal.shared import Shared

_DAY, _LATELY = timedelta(days=1), timedelta(hours=3)
_MOST_DAYS = 92


class AskedMeasurements(BaseModel):
    """What can be asked of measurements."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind | None = None
    datetime: TimesText | None = None
    limit: Limit = 100


class AskedHours(BaseModel):
    """What can be asked of hours."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind | None = None
    datetime: TimesText | None = None


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(prefix="/api", tags=["hubs"])
    hubs = {hub.name: hub for hub in shared.settings.hubs}

    def known(name: str) -> str:
        if name not in hubs:
            raise HTTPException(404, "there is no such hub")
        return name

    @made.get("/hubs", responses=problems())
    async def list_hubs() -> list[HubOut]:
        """List the hubs, and how they do."""

        def question(catalog: Catalog) -> list[HubOut]:
            now = datetime.now(UTC)
            return _told(catalog, hubs, now, deliveries(shared.settings, catalog, now))

        return await shared.ask(question)

    @made.get("/hubs/{name}/measurements", responses=problems(404))
    async def list_measurements(
        name: str, asked: Annotated[AskedMeasurements, Query()]
    ) -> list[MeasurementOut]:
        """List the newest measurements of a hub, the oldest first; of the last day if not asked."""
        hub = known(name)
        since, until = _window(asked.datetime)
        kinds = tuple(Kind) if asked.kind is None else (asked.kind,)
        found = await shared.ask(
            lambda catalog: catalog.measurements(hub, kinds, since, asked.limit, until)
        )
        return [
            MeasurementOut(
                at=one.at,
                kind=one.kind,
                value=one.value,
                ok=one.ok,
                cause=one.cause,
                product_type=one.product_type,
            )
            for one in found
        ]

    @made.get("/hubs/{name}/hours", responses=problems(404))
    async def list_hours(name: str, asked: Annotated[AskedHours, Query()]) -> list[HourOut]:
        """List the sums of the hours of a hub; they are kept for ever, 92 days at a time."""
        hub = known(name)
        since, until = _window(asked.datetime)
        if (until or datetime.now(UTC)) - since > timedelta(days=_MOST_DAYS):
            raise HTTPException(400, f"datetime: {_MOST_DAYS} days at most")
        kinds = None if asked.kind is None else (asked.kind,)
        found = await shared.ask(lambda catalog: catalog.rollups(since, kinds, hub, until))
        return [_hour(one) for one in found]

    @made.get("/hubs/{name}/incidents", responses=problems(404))
    async def list_incidents(name: str, asked: Annotated[AskedHours, Query()]) -> list[IncidentOut]:
        """List the times in which a hub was not as it should be, since a time or the last day."""
        hub = known(name)
        since, _ = _window(asked.datetime)
        found = await shared.ask(lambda catalog: catalog.incidents(since, [hub]))
        return [_incident(one) for one in found]

    return made


def _window(text: str | None) -> tuple[datetime, datetime | None]:
    since, until = (None, None) if text is None else read_times(text)
    if since is None:
        since = (until or datetime.now(UTC)) - _DAY
    return since, until


def _told(
    catalog: Catalog, hubs: dict[str, Hub], now: datetime, expected: dict[str, Any]
) -> list[HubOut]:
    incidents = catalog.incidents(now - _DAY, list(hubs))
    asked = catalog.last_asked(list(hubs), tuple(Kind), now)
    told = []
    for name, hub in hubs.items():
        own = [_incident(one) for one in incidents if one.hub == name]
        lasting = {one.aspect for one in own if one.ended_at is None}
        last = max((at for (of, _), at in asked.items() if of == name), default=None)
        state = "down" if "reachable" in lasting else "troubled" if lasting else "well"
        if state == "well" and (last is None or now - last > _LATELY):
            state = "not probed"
        told.append(
            HubOut(
                name=name,
                kind=hub.kind,
                missions=list(hub.missions),
                keeps_days=hub.rolling_days,
                state=state,
                expected_delivery_s=expected[name].seconds,
                last_asked=last,
                incidents=own,
            )
        )
    return told


def _incident(one: Any) -> IncidentOut:
    names = IncidentOut.model_fields
    return IncidentOut(**{name: getattr(one, name) for name in names})


def _hour(one: Rollup) -> HourOut:
    quantiles = spread([one])
    return HourOut(
        hour=one.hour,
        kind=one.kind,
        product_type=one.product_type,
        asked=one.asked,
        good=one.good,
        mean=one.total / one.good if one.good else None,
        median=quantiles.quantile(0.5) if one.good else None,
        p90=quantiles.quantile(0.9) if one.good else None,
    )
