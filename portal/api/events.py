"""``/api/events``: what happened."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from geobservatory.catalog.browsing import Sought
from geobservatory.catalog.database import Catalog
from portal.api.asking import AskedEvents, next_page
from portal.api.models import EventInFull, EventOut, PageOf, ReportOut
from portal.api.problems import problems
from portal.shared import Shared


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(prefix="/api", tags=["events"])

    @made.get("/events", responses=problems())
    async def list_events(
        request: Request, asked: Annotated[AskedEvents, Query()]
    ) -> PageOf[EventOut]:
        """List events, the newest first."""
        sought = Sought(**asked.about())
        page = await shared.ask(
            lambda catalog: catalog.browse_events(sought, asked.limit, asked.after)
        )
        return PageOf(
            items=[EventOut.of(one) for one in page.items],
            matched=page.matched,
            next=next_page(request, "/api/events", asked, page.after),
        )

    @made.get("/events/{event_id}", responses=problems(404))
    async def read_event(event_id: str) -> EventInFull:
        """Tell of an event, with all that was reported of it."""

        def question(catalog: Catalog) -> EventInFull:
            found = catalog.browsed_event(event_id)
            reports = [ReportOut.of(one) for one in catalog.reported(found.id)]
            return EventInFull(**EventOut.of(found).model_dump(), reports=reports)

        return await shared.ask(question)

    return made
