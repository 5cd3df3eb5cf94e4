"""The list of activations, with a map of them, and the page of each."""

import threading
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from geobservatory.engines.order import title
from geobservatory.events.model import ActivationState, EventType
from portal.access.guard import Reader
from portal.people.countries import read_outlines
from portal.people.frame import page
from portal.people.search import Wanted, find
from portal.people.story import data_of, tell
from portal.shared import Shared

_GET = ["GET", "HEAD"]


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    # Reading outlines takes a second: the first who looks shall not wait for it.
    threading.Thread(target=read_outlines, daemon=True).start()
    made = APIRouter(include_in_schema=False)

    @made.api_route("/", methods=_GET)
    async def activations(request: Request, who: Reader) -> Response:
        wanted = Wanted.read(request.query_params)
        found = await shared.ask(lambda catalog: find(catalog, wanted))
        return page(
            request, shared, who, "activations.html",
            wanted=wanted, found=found, title=title, kinds=list(EventType),
            states=list(ActivationState),
        )  # fmt: skip

    @made.api_route("/activations", methods=_GET)
    async def listed(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{request.scope.get('root_path', '')}/{query}", 308)

    @made.api_route("/activations/{identifier}", methods=_GET)
    async def activation(
        request: Request, who: Reader, identifier: str, asked: str = ""
    ) -> Response:
        now = datetime.now(UTC)
        data_dir = shared.settings.data_dir
        story = await shared.ask(lambda catalog: tell(catalog, data_dir, identifier, now))
        address = shared.settings.portal.public_address or str(request.base_url).rstrip("/")
        return page(
            request, shared, who, "activation.html",
            story=story, data=data_of(story), now=now, title=title, asked=asked,
            address=f"{address.rstrip('/')}/activations/{identifier}",
        )  # fmt: skip

    return made
