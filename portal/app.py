"""The application: metrics for monitors, the status of the hubs for people."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import anyio
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy.exc import SQLAlchemyError

from geobservatory.catalog.database import Catalog
from geobservatory.errors import GeobservatoryError
from geobservatory.settings.model import Settings
from portal.metrics import exposition
from portal.readings import Reader
from portal.shared import SharedCatalog

_LOG = logging.getLogger(__name__)
# Prometheus itself gives up after ten seconds.
_LIMIT_S, _PAGE_LIMIT_S = 8.0, 60.0
_GET = ["GET", "HEAD"]
_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
_HOME = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>geObservatory</title>
<h1>geObservatory</h1>
<ul>
<li><a href="hubs">How the hubs do</a></li>
<li><a href="metrics">Metrics for Prometheus</a></li>
</ul>
</html>
"""

T = TypeVar("T")


def create_app(settings: Settings, open_catalog: Callable[[], Catalog]) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    settings
        Hubs and the data folder.
    open_catalog
        Opens the catalogue; called when it is first needed, and again after it was lost.
    """
    shared, reader = SharedCatalog(open_catalog), Reader(settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        shared.close()

    def read_metrics() -> bytes:
        with shared.use() as catalog:
            return exposition(reader.read(catalog, datetime.now(UTC)))

    def ask() -> None:
        with shared.use() as catalog:
            catalog.activation_counts()

    def page() -> bytes:
        written = settings.data_dir / "products" / "hubs" / "index.html"
        return _read(written) or _rendered(settings, shared)

    # A place for each of those who may wait for a catalogue that has frozen, so that none takes
    # the place of another kind.
    asking, scraping, reading = (anyio.CapacityLimiter(count) for count in (4, 4, 2))
    # What describes an interface comes with the interface for programs.
    app = FastAPI(
        title="geObservatory", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life
    )
    app.add_exception_handler(GeobservatoryError, _refused)
    app.add_exception_handler(SQLAlchemyError, _refused)
    app.add_exception_handler(TimeoutError, _refused)

    @app.api_route("/", methods=_GET)
    async def home() -> Response:
        return HTMLResponse(_HOME, headers=_HEADERS)

    @app.api_route("/hubs", methods=_GET)
    async def hubs() -> Response:
        made = await _in_time(page, _PAGE_LIMIT_S, reading)
        return HTMLResponse(made, headers=_HEADERS)

    @app.api_route("/metrics", methods=_GET)
    async def metrics() -> Response:
        made = await _in_time(read_metrics, _LIMIT_S, scraping)
        return Response(made, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers=_HEADERS)

    @app.api_route("/healthz", methods=_GET)
    async def healthz() -> Response:
        await _in_time(ask, _LIMIT_S, asking)
        return PlainTextResponse("well\n", headers=_HEADERS)

    return app


async def _in_time(work: Callable[[], T], limit_s: float, limiter: anyio.CapacityLimiter) -> T:
    """Do what may take long in a thread, and leave it to itself when the time is over."""
    with anyio.fail_after(limit_s):
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)


async def _refused(_: Request, error: Exception) -> Response:
    """Answer in a line; what went wrong inside is for the log."""
    match error:
        case GeobservatoryError():
            reason = str(error).partition("\n")[0]
        case TimeoutError():
            reason = "the catalogue does not answer in time"
        case _:
            # A table that is just being restored, say.
            _LOG.warning("the catalogue refused a question: %s", str(error).partition("\n")[0])
            reason = "the catalogue cannot be read just now"
    return PlainTextResponse(f"{reason}\n", 503, headers=_HEADERS)


def _read(path: Path) -> bytes | None:
    # Whole, so that a newer one that takes its name meanwhile is not mixed with it.
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _rendered(settings: Settings, shared: SharedCatalog) -> bytes:
    from geobservatory.probing.page import render
    from geobservatory.probing.report import status_report

    with shared.use() as catalog:
        report = status_report(
            settings, catalog, datetime.now(UTC), settings.probing.objectives.days
        )
    return render(report).encode()
