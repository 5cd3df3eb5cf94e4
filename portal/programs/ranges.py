"""Which bytes a request wants (RFC 9110, section 14)."""

import re
from dataclasses import dataclass

from fastapi import Request

from geobservatory.errors import InputError

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class BeyondError(InputError):
    """None of the bytes that are wanted are there."""


@dataclass(frozen=True)
class Span:
    """Bytes of a file.

    Attributes
    ----------
    first, stop
        From, and up to but not including.
    rest
        Whether it is all the rest of the file, as who goes on with a download asks for it.
    """

    first: int
    stop: int
    rest: bool


def wanted_span(request: Request, size: int, tag: str) -> Span | None:
    """Read which bytes of a file are wanted.

    Parameters
    ----------
    size
        Bytes of the file.
    tag
        Its ETag; a range of another file is not given.

    Returns
    -------
    Span or None
        None where the whole is wanted: no range, one not understood, or several.

    Raises
    ------
    BeyondError
        If none of the bytes are there.
    """
    header, condition = request.headers.get("Range"), request.headers.get("If-Range")
    match = _RANGE.fullmatch((header or "").replace(" ", ""))
    if match is None or match.groups() == ("", "") or condition not in (None, tag):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= stop:
        raise BeyondError(f"{header!r} asks for bytes beyond {size}")
    return Span(start, stop, rest=bool(first) and not last)
