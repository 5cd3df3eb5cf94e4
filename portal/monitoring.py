"""What monitors ask: metrics, and whether the portal and its catalogue are well."""

from datetime import UTC, datetime

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from portal.access.guard import needs
from portal.access.identity import Role
from portal.metrics import exposition
from portal.readings import Reader
from portal.shared import Places, Shared

_GET = ["GET", "HEAD"]


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made, reader = APIRouter(include_in_schema=False), Reader(shared.settings)
    # A place for each of those who may wait for a catalogue that has frozen, so that none takes
    # the place of another kind.
    asking, scraping = Places(4), Places(4)

    @made.api_route("/metrics", methods=_GET, dependencies=[Depends(needs(Role.READER))])
    async def metrics() -> Response:
        exposed = await shared.ask(
            lambda catalog: exposition(reader.read(catalog, datetime.now(UTC))), scraping
        )
        return Response(exposed, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    @made.api_route("/healthz", methods=_GET)
    async def healthz() -> Response:
        await shared.ask(lambda catalog: catalog.activation_counts(), asking)
        return PlainTextResponse("well\n")

    return made
