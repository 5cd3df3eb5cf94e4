"""``/api/products``: interferograms, and their files."""

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import Field

from geobservatory.catalog.browsing import Sought
from portal.api.asking import AskedEvents, next_page
from portal.api.models import PageOf, ProductOut
from portal.api.problems import problems
from portal.handed_out import ResultFile
from portal.results import ResultFiles, media_type
from portal.shared import Shared

_Verdict = Literal["good", "usable with care", "not usable"]
_State = Literal["running", "complete", "failed", "superseded"]
_BYTES: dict[str, Any] = {"*/*": {}}


class AskedProducts(AskedEvents):
    """What can be asked of products."""

    activation_id: str | None = None
    state: _State | None = "complete"
    verdict: _Verdict | None = None
    relative_orbit: Annotated[int, Field(ge=1, le=175)] | None = None

    def about(self) -> dict[str, Any]:
        """Give it as `Sought` has it."""
        return {
            **super().about(),
            "activation_id": self.activation_id,
            "states": () if self.state is None else (self.state,),
            "verdicts": () if self.verdict is None else (self.verdict,),
            "tracks": () if self.relative_orbit is None else (self.relative_orbit,),
        }


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(prefix="/api", tags=["products"])
    results = ResultFiles(shared)

    @made.get("/products", responses=problems())
    async def list_products(
        request: Request, asked: Annotated[AskedProducts, Query()]
    ) -> PageOf[ProductOut]:
        """List interferograms, the newest first; complete ones unless another state is asked for.

        A time asks for those whose images lie about it.
        """
        sought = Sought(**asked.about())
        page = await shared.ask(
            lambda catalog: catalog.browse_products(sought, asked.limit, asked.after)
        )
        return PageOf(
            items=[ProductOut.of(request, one) for one in page.items],
            matched=page.matched,
            next=next_page(request, "/api/products", asked, page.after),
        )

    @made.get("/products/{product_id}", responses=problems(404))
    async def read_product(request: Request, product_id: str) -> ProductOut:
        """Tell of an interferogram: what it is worth, where it came from, its files."""
        return ProductOut.of(
            request, await shared.ask(lambda catalog: catalog.browsed_product(product_id))
        )

    @made.head("/products/{product_id}/files/{name}", include_in_schema=False)
    @made.get(
        "/products/{product_id}/files/{name}",
        response_class=FileResponse,
        responses={
            **problems(404),
            200: {"description": "The file", "content": _BYTES},
            206: {"description": "The range that was asked for", "content": _BYTES},
            304: {"description": "It is what you have"},
            416: {"description": "There is no such range"},
        },
    )
    async def read_file(request: Request, product_id: str, name: str) -> Response:
        """Give a file, or ranges of it; it does not change under its ETag, its SHA-256."""
        result = await results.product(product_id)
        file, path = await results.file(result, name)
        digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
        headers = {
            "ETag": f'"{file.sha256}"',
            "Repr-Digest": f"sha-256=:{digest}:",
            # It may be taken away from who may read it now: a copy of ours is asked for anew.
            "Cache-Control": "private, no-cache",
        }
        if headers["ETag"] in request.headers.get("If-None-Match", ""):
            return Response(status_code=304, headers=headers)
        return ResultFile(
            shared, result.activation, path,
            each_range=False, headers=headers, media_type=media_type(name),
        )  # fmt: skip

    return made
