"""How the hubs do, for people: what probing writes, or what is made at once, in our frame."""

import re
import time
from datetime import UTC, datetime

import anyio
from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from portal.access.guard import Reader
from portal.headers import policy_for
from portal.people.frame import page
from portal.shared import Places, Shared

_LIMIT_S = 60.0
# To make it takes a second; for so long it is good enough.
_KEPT_S = 60.0


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(include_in_schema=False)
    rendering = Places(2, _LIMIT_S)
    kept: tuple[float, bytes] | None = None
    one_at_a_time = anyio.Lock()

    async def made_anew() -> bytes:
        nonlocal kept
        async with one_at_a_time:
            if kept is None or time.monotonic() - kept[0] > _KEPT_S:
                kept = time.monotonic(), await rendering.do(lambda: _rendered(shared))
            return kept[1]

    @made.api_route("/hubs", methods=["GET", "HEAD"])
    async def hubs(request: Request, who: Reader) -> Response:
        found = await rendering.do(lambda: _written(shared)) or await made_anew()
        written = found.decode()
        style = "\n".join(re.findall(r"<style[^>]*>(.*?)</style>", written, re.DOTALL))
        body = re.search(r"<body[^>]*>(.*)</body>", written, re.DOTALL)
        answer = page(
            request, shared, who, "hubs.html",
            # Of ours: probing writes it, and escapes what others have said.
            style=Markup(f".hubs {{\n{style}\n}}"),  # noqa: S704
            body=Markup(body[1] if body else written),  # noqa: S704
        )  # fmt: skip
        answer.headers["Content-Security-Policy"] = policy_for(bytes(answer.body))
        return answer

    return made


def _written(shared: Shared) -> bytes | None:
    try:
        # Whole, so that a newer one that takes its name meanwhile is not mixed with it.
        return (shared.settings.data_dir / "products" / "hubs" / "index.html").read_bytes()
    except FileNotFoundError:
        return None


def _rendered(shared: Shared) -> bytes:
    from geobservatory.probing.page import render
    from geobservatory.probing.report import status_report

    days = shared.settings.probing.objectives.days
    with shared.catalog.use() as catalog:
        report = status_report(shared.settings, catalog, datetime.now(UTC), days)
    return render(report).encode()
