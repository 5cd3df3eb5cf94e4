"""What is said of what went wrong: a page to people, problem+json or a line to programs."""

import logging
import re
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException as StarletteHTTPException

from geobservatory.errors import GeobservatoryError, InputError, NotFoundError
from portal.access.identity import anonymous
from portal.access.sessions import session_of
from portal.headers import strict
from portal.people.frame import page

_LOG = logging.getLogger(__name__)
# Under these addresses programs ask.
_OF_PROGRAMS = ("/api", "/ogc", "/stac")


def register(app: FastAPI) -> None:
    """Let the application answer errors so."""
    for kind in (GeobservatoryError, SQLAlchemyError, TimeoutError):
        app.add_exception_handler(kind, _failed)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(Exception, _broken)


async def told(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """Answer that something went wrong, as whoever asks understands it (RFC 9457)."""
    if _is_navigation(request):
        phrase, shared = HTTPStatus(status).phrase, request.app.state.shared
        # Where the catalogue does not answer, to ask it again would take as long again.
        asked = None if status == 503 else await request.app.state.doorkeeper.presumed(request)
        who = getattr(request.state, "who", asked)
        answer = page(
            request, shared, who or anonymous(shared.settings.portal.public_reading), "error.html",
            status, phrase=phrase, detail=detail, unsure=who is None and session_of(request),
        )  # fmt: skip
        answer.headers.update(headers or {})
        return answer
    if not request.url.path.startswith(_OF_PROGRAMS):
        return PlainTextResponse(f"{detail}\n", status, headers=headers)
    return JSONResponse(
        {"title": HTTPStatus(status).phrase, "status": status, "detail": detail},
        status,
        headers=headers,
        media_type="application/problem+json",
    )


async def _failed(request: Request, error: Exception) -> Response:
    """Answer in a line; what went wrong inside is for the log."""
    status, reason = 503, str(error).partition("\n")[0]
    match error:
        case NotFoundError():
            status = 404
        case InputError():
            status = 400
        case GeobservatoryError() if reason.startswith("the catalogue at "):
            # Where it is, is nobody's business.
            _LOG.warning("%s", reason)
            reason = "the catalogue cannot be reached just now"
        case GeobservatoryError():
            pass
        case DataError():
            # A number or text that no column takes.
            status, reason = 400, "there is a value in it that cannot be looked for or kept"
        case TimeoutError():
            reason = "the catalogue does not answer in time"
        case _:
            # A table that is just being restored, say.
            _LOG.warning("the catalogue refused a question: %s", reason)
            reason = "the catalogue cannot be read just now"
    return await told(request, status, reason)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)  # noqa: S101  registered for nothing else
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed(request, headers.get("Allow", ""))
    if error.status_code == 401 and _is_navigation(request):
        return RedirectResponse(_login_of(request), 303)
    return await told(request, error.status_code, str(error.detail), headers)


async def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for nothing else
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    reason = str(first["msg"]).removeprefix("Value error, ")
    # What is asked for wrongly, and what is handed in wrongly.
    return await told(request, 422 if first["loc"][0] == "body" else 400, f"{place}: {reason}")


async def _broken(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    # Answered outside of what adds them.
    return await told(
        request, 500, "something went wrong here; it is in the log", strict(request.scope)
    )


def _allowed(request: Request, known: str) -> str:
    """List the methods of an address: each is an address of its own to the framework."""
    methods = {one.strip() for one in known.split(",")} - {""}
    for template, item in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\\{[^{}]*\\}", "[^/]+", re.escape(template)), request.url.path):
            methods |= {name.upper() for name in item}
    return ", ".join(sorted(methods))


def _is_navigation(request: Request) -> bool:
    """Say whether a person's browser asks for a page."""
    asked = request.headers.get("Sec-Fetch-Mode") == "navigate"
    return asked and request.method in ("GET", "HEAD")


def _login_of(request: Request) -> str:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"{request.scope.get('root_path', '')}/login?next={quote(wanted, safe='')}"
