"""Files of results, to take along: whole or in part, counted."""

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from portal.access.guard import Reader
from portal.handed_out import ResultFile
from portal.results import ResultFiles, media_type
from portal.shared import Shared

_GET = ["GET", "HEAD"]


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(include_in_schema=False)
    results = ResultFiles(shared)

    @made.api_route("/activations/{activation}/maps/{name}/files/{file}", methods=_GET)
    async def hand_out(
        request: Request, who: Reader, activation: str, name: str, file: str
    ) -> Response:
        found, path = await results.file(await results.map(activation, name), file)
        headers = {
            "Content-Security-Policy": "sandbox",
            "Accept-Ranges": "bytes",
            # RFC 9530 has it in base64, by which nobody compares: the page has it as sha256sum.
            "X-Checksum-SHA256": found.sha256,
            "ETag": f'"{found.sha256}"',
        }
        kind = media_type(file)
        if request.headers.get("Sec-Fetch-Dest") == "image":
            # The picture on the page, which nobody asked to take along.
            return FileResponse(path, headers=headers, media_type=kind)
        return ResultFile(
            shared, activation, path,
            each_range=True, headers=headers, media_type=kind, filename=f"{name}-{file}",
        )  # fmt: skip

    @made.api_route("/activations/{activation}/SHA256SUMS", methods=_GET)
    async def sums(who: Reader, activation: str) -> Response:
        path = await results.sums(activation)
        return FileResponse(path, media_type="text/plain")

    @made.api_route("/products/{activation}/index.html", methods=_GET)
    async def page_of(request: Request, activation: str) -> Response:
        # What messages have linked to where people reached the folder of products.
        root = request.scope.get("root_path", "")
        return RedirectResponse(f"{root}/activations/{activation}", 308)

    return made
