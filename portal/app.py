"""The application, put together of its parts."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI
from fastapi.middleware import Middleware

from geobservatory.catalog.database import Catalog
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Activation
from geobservatory.settings.model import Settings
from portal import errors, hubs, monitoring
from portal.access import account, login
from portal.access.doorkeeper import Doorkeeper
from portal.access.forms import FormCookie, key_of
from portal.access.origin import Origin
from portal.api import interface
from portal.bodies import LimitedBodies
from portal.headers import StrictHeaders
from portal.ogc import features
from portal.people import (
    activations,
    assets,
    files,
    maps,
    mirror,
    numbers,
    requests,
    subscriptions,
)
from portal.programs import parts as programs
from portal.shared import Shared

# Each makes a router of what the parts share; in this order they are asked.
_PARTS = (
    assets.router,
    activations.router,
    maps.router,
    files.router,
    mirror.router,
    numbers.router,
    subscriptions.router,
    requests.router,
    hubs.router,
    monitoring.router,
    login.router,
    account.router,
    programs.router,
    interface.router,
    features.router,
)


def create_app(
    settings: Settings,
    open_catalog: Callable[[], Catalog],
    start: Callable[[Activation, ActivationForm], object] | None = None,
) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    settings
        Hubs, the data folder, who may.
    open_catalog
        Opens the catalogue; called when it is first needed, and again after it was lost.
    start
        Starts the flow of an activation that was recorded; without it that waits to be revisited.
    """
    shared = Shared(settings, open_catalog, start)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        shared.catalog.close()

    app = FastAPI(
        title="geObservatory",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=life,
        middleware=[
            Middleware(Origin, settings.portal),
            Middleware(StrictHeaders),
            Middleware(LimitedBodies, most_bytes=settings.portal.limits.body_kb * 1024),
            Middleware(FormCookie),
        ],
    )
    app.state.shared = shared
    app.state.doorkeeper = Doorkeeper(shared)
    app.state.key = cache(lambda: key_of(settings.data_dir))
    errors.register(app)
    for part in _PARTS:
        app.include_router(part(shared))
    return app
