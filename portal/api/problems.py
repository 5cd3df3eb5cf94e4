"""What an address may answer that went wrong, for the OpenAPI document."""

from http import HTTPStatus
from typing import Any

SCHEMA = {
    "title": "Problem",
    "type": "object",
    "description": "What went wrong (RFC 9457)",
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["title", "status", "detail"],
}
_ALWAYS = (400, 401, 403, 429, 503)


def problems(*more: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems of an address: those that each may have, and these."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in (*_ALWAYS, *more)
    }
