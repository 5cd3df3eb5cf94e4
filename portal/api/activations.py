"""``/api/activations``: what was asked for, where it stands, and asking for more."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response

from geobservatory.catalog.browsing import Sought
from geobservatory.catalog.database import Catalog
from geobservatory.errors import InputError
from geobservatory.events.model import ActivationState
from geobservatory.events.request import parse_request
from portal.access.guard import Operator
from portal.access.record import note
from portal.api.asking import AskedEvents, next_page
from portal.api.models import ActivationOut, PageOf, PairOut, Started, StateOut
from portal.api.problems import problems
from portal.shared import Shared
from portal.starting import start

_EXAMPLE = {
    "type": "Feature",
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[-9, 30.7], [-8, 30.7], [-8, 31.4], [-9, 31.4], [-9, 30.7]]],
    },
    "properties": {"event_time": "2023-09-08T22:11:01Z", "event_type": "earthquake"},
}


class AskedActivations(AskedEvents):
    """What can be asked of activations."""

    state: ActivationState | None = None

    def about(self) -> dict[str, Any]:
        """Give it as `Sought` has it."""
        return {**super().about(), "states": () if self.state is None else (self.state,)}


def router(shared: Shared) -> APIRouter:
    """Make the addresses that tell of activations."""
    made = APIRouter(prefix="/api", tags=["activations"])

    @made.get("/activations", responses=problems())
    async def list_activations(
        request: Request, asked: Annotated[AskedActivations, Query()]
    ) -> PageOf[ActivationOut]:
        """List activations, the newest event first."""
        sought = Sought(**asked.about())
        page = await shared.ask(
            lambda catalog: catalog.browse_activations(sought, asked.limit, asked.after)
        )
        return PageOf(
            items=[ActivationOut.of(one) for one in page.items],
            matched=page.matched,
            next=next_page(request, "/api/activations", asked, page.after),
        )

    @made.get("/activations/{activation_id}", responses=problems(404))
    async def read_activation(activation_id: str) -> ActivationOut:
        """Tell of an activation."""
        return ActivationOut.of(
            await shared.ask(lambda catalog: catalog.browsed_activation(activation_id))
        )

    @made.get("/activations/{activation_id}/history", responses=problems(404))
    async def read_history(activation_id: str) -> list[StateOut]:
        """List every state it has had, the first first."""

        def question(catalog: Catalog) -> list[StateOut]:
            found = catalog.browsed_activation(activation_id)
            return [
                StateOut(at=one.at, state=one.state, reason=one.reason)
                for one in catalog.history(found.id)
            ]

        return await shared.ask(question)

    @made.get("/activations/{activation_id}/pairs", responses=problems(404))
    async def list_pairs(activation_id: str) -> list[PairOut]:
        """List the pairs that are chosen for it, by track, kind and rank, with reasons."""

        def question(catalog: Catalog) -> list[PairOut]:
            found = catalog.browsed_activation(activation_id)
            return [PairOut.of(one) for one in catalog.pairs(found.id)]

        return await shared.ask(question)

    return made


def asking(shared: Shared) -> APIRouter:
    """Make the address that takes requests: a token that may only ask need not read."""
    made = APIRouter(prefix="/api", tags=["activations"])

    @made.post(
        "/activations", status_code=201, responses={**problems(422), 200: {"model": Started}}
    )
    async def ask_for_activation(
        request: Request,
        response: Response,
        who: Operator,
        wanted: Annotated[dict[str, Any], Body(examples=[_EXAMPLE])],
    ) -> Started:
        """Ask for an activation: a request file (GeoJSON), as `geobs trigger` takes it.

        The same event again is the same activation: 200 instead of 201.
        """
        try:
            form = parse_request(wanted)
        except InputError as error:
            await note(request, who, "activation.new", str(error), "failed")
            raise
        activation, created, how = await start(shared, form)
        await note(request, who, "activation.new", activation.id)
        response.status_code = 201 if created else 200
        return Started(activation=ActivationOut.of(activation), created=created, started=how)

    return made
