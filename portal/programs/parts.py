"""The doors for client programs, put together."""

from fastapi import APIRouter

from portal.programs import dataspace, dhus, stac
from portal.programs.service import Programs
from portal.shared import Shared


def router(shared: Shared) -> APIRouter:
    """Make the addresses of all doors; behind them is one catalogue."""
    made, programs = APIRouter(), Programs(shared)
    for door in (dhus, dataspace, stac):
        made.include_router(door.router(shared, programs))
    return made
