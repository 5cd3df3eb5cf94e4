"""What pages load: our own files, and what `make setup` fetched of others. Nothing else is served.

Names carry a digest of all of them, so that browsers keep them for ever and never mix versions.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from portal.shared import Shared

WEB = Path(__file__).parents[1] / "web"
_OURS, _OTHERS = WEB / "static", WEB / "node_modules"
_FETCHED = {
    "leaflet.js": _OTHERS / "leaflet" / "dist" / "leaflet.js",
    "leaflet.css": _OTHERS / "leaflet" / "dist" / "leaflet.css",
    "topojson.js": _OTHERS / "topojson-client" / "dist" / "topojson-client.min.js",
    "world-50m.json": _OTHERS / "world-atlas" / "countries-50m.json",
    "world-110m.json": _OTHERS / "world-atlas" / "countries-110m.json",
}
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class _Asset:
    content: bytes
    packed: bytes
    kind: str


@cache
def assets() -> dict[str, _Asset]:
    """Read all that is served, by name; what was not fetched is not there."""
    ours = {one.name: one for one in sorted(_OURS.iterdir()) if one.suffix in _TYPES}
    there = {name: path for name, path in _FETCHED.items() if path.is_file()}
    return {
        name: _Asset(content, gzip.compress(content, 6, mtime=0), _TYPES[path.suffix])
        for name, path in {**ours, **there}.items()
        for content in (_without_map(path.read_bytes()),)
    }


@cache
def version() -> str:
    """Digest of all that is served."""
    digest = hashlib.sha256()
    for name, one in sorted(assets().items()):
        digest.update(name.encode() + hashlib.sha256(one.content).digest())
    return digest.hexdigest()[:12]


def maps_are_there() -> bool:
    """Say whether what maps are drawn with was fetched."""
    return set(_FETCHED) <= set(assets())


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part; open to all, as the page of the login needs them too."""
    del shared
    made = APIRouter(include_in_schema=False)

    @made.api_route("/static/{digest}/{name}", methods=["GET", "HEAD"])
    async def static(request: Request, digest: str, name: str) -> Response:
        one = assets().get(name)
        if one is None:
            raise HTTPException(404, "there is no such file")
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        headers = {
            "Vary": "Accept-Encoding",
            # An address of another version gives what there is now, and is not kept.
            "Cache-Control": _FOR_EVER if digest == version() else "no-cache",
            **({"Content-Encoding": "gzip"} if packed else {}),
        }
        return Response(one.packed if packed else one.content, 200, headers, one.kind)

    @made.api_route("/favicon.ico", methods=["GET", "HEAD"])
    async def icon() -> Response:
        one = assets()["mark.svg"]
        return Response(one.content, 200, {"Cache-Control": "max-age=86400"}, one.kind)

    return made


def _without_map(content: bytes) -> bytes:
    # Browsers would ask for a map of the source that is not served.
    lines = content.split(b"\n")
    return b"\n".join(one for one in lines if not one.startswith(b"//# sourceMappingURL"))
