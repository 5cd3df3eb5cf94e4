"""The interface for programs, put together, with what describes it and who asks."""

import json
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from portal.access.guard import Operator, Whoever, needs
from portal.access.identity import Role
from portal.api import activations, events, hubs, products
from portal.api.asking import Limit, TimesText, address, read_times
from portal.api.models import AuditOut, Me
from portal.api.problems import SCHEMA, problems
from portal.headers import policy
from portal.shared import Shared

# Only these addresses are described; others speak protocols that describe themselves.
DESCRIBED = ("/api", "/ogc")
_ABOUT = """\
Events, activations, interferograms with their files, and how hubs do. Reading may be open to all;
an activation needs an account with the role operator: HTTP Basic, or a token as Bearer (of the
scope `activate`). Lists come in pages: go on with `next` until it is null. Times are UTC, places
EPSG:4326.
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Interface for programs · geObservatory</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """\
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null
});
"""
_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_KEPT = {"Cache-Control": "max-age=86400"}


class AskedAudit(BaseModel):
    """What can be asked of the audit."""

    model_config = ConfigDict(extra="forbid")

    who: str | None = None
    action: str | None = None
    datetime: TimesText | None = None
    limit: Limit = 100


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter()
    for part in (events, activations, products, hubs):
        made.include_router(part.router(shared), dependencies=[Depends(needs(Role.READER))])
    made.include_router(activations.asking(shared))
    made.include_router(_about(shared))
    made.include_router(_documents())
    return made


def _about(shared: Shared) -> APIRouter:
    made = APIRouter(prefix="/api", tags=["about"])

    @made.get("", responses=problems())
    async def begin(request: Request) -> dict[str, str]:
        """Name the addresses that all others are found from."""
        places = ("events", "activations", "products", "hubs", "me", "openapi.json", "docs")
        told = {name.partition(".")[0]: address(request, f"/api/{name}") for name in places}
        return {**told, "features": address(request, "/ogc")}

    @made.get("/me", responses=problems())
    async def me(who: Whoever) -> Me:
        """Tell who asks, as the portal knows them, and what they may."""
        return Me(name=who.name, role=who.role, scopes=sorted(who.scopes), shown_by=who.shown)

    @made.get("/audit", responses=problems())
    async def audit(_: Operator, asked: Annotated[AskedAudit, Query()]) -> list[AuditOut]:
        """List who did what, the newest first; for operators."""
        since = None if asked.datetime is None else read_times(asked.datetime)[0]
        found = await shared.ask(
            lambda catalog: catalog.audit(
                who=asked.who, action=asked.action, since=since, limit=asked.limit
            )
        )
        return [AuditOut.model_validate(vars(one)) for one in found]

    return made


def _documents() -> APIRouter:
    made = APIRouter(prefix="/api", include_in_schema=False)

    @made.get("/openapi.json")
    async def openapi(request: Request) -> Response:
        return JSONResponse(document(request.app))

    @made.get("/docs")
    async def docs() -> Response:
        return HTMLResponse(
            _PAGE, headers={"Content-Security-Policy": policy(styles=["'unsafe-inline'"])}
        )

    @made.get("/docs/start.js")
    async def start() -> Response:
        return Response(_START, media_type="text/javascript", headers=_KEPT)

    @made.get("/docs/{name}")
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise HTTPException(404, "there is no such file")
        return Response(_asset(name), media_type=_ASSETS[name], headers=_KEPT)

    return made


@cache
def _asset(name: str) -> bytes:
    return files("fastapi_offline").joinpath("static", name).read_bytes()


def document(app: FastAPI) -> dict[str, Any]:
    """Write the OpenAPI document of what is described."""
    whole = json.loads(json.dumps(app.openapi()))
    components = whole["components"]
    components["schemas"]["Problem"] = SCHEMA
    components["securitySchemes"] = {
        "password": {"type": "http", "scheme": "basic"},
        "token": {"type": "http", "scheme": "bearer"},
    }
    public = app.state.shared.settings.portal.public_reading
    shown: list[dict[str, Any]] = [{"password": []}, {"token": []}]
    paths = {path: item for path, item in whole["paths"].items() if path.startswith(DESCRIBED)}
    for path, item in paths.items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", ()):
                _never_null(parameter["schema"])
            if "422" in operation["responses"] and "requestBody" not in operation:
                # Of what is asked for wrongly it is 400.
                del operation["responses"]["422"]
            open_to_all = public and method == "get" and path != "/api/audit"
            operation["security"] = [{}, *shown] if open_to_all else shown
    about = {"title": "geObservatory", "version": app.version, "description": _ABOUT}
    return {**whole, "info": about, "paths": paths}


def _never_null(schema: dict[str, Any]) -> None:
    """Describe a parameter as addresses have it: left out, never null."""
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        del schema["anyOf"]
        schema.update(choices[0])
    if schema.get("default", "") is None:
        del schema["default"]
