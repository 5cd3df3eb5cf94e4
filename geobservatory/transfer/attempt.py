"""One try to fetch a file, or the rest of it, from one hub, and what it taught about the hub."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from geobservatory.errors import GeobservatoryError
from geobservatory.transfer.part import WrongContentError
from geobservatory.transfer.source import (
    HubBusyError,
    HubRefusedError,
    HubUnreachableError,
    ProductGoneError,
    ProductOfflineError,
    Source,
)

_TELL_EVERY_S = 0.1


class Outcome(StrEnum):
    """How a try ended."""

    DONE = "done"
    BROKEN = "broken"
    BUSY = "busy"
    REFUSED = "refused"
    OFFLINE = "offline"
    GONE = "gone"
    WRONG = "wrong"
    STOPPED = "stopped"


_OUTCOMES: dict[type[GeobservatoryError], Outcome] = {
    HubUnreachableError: Outcome.BROKEN,
    HubBusyError: Outcome.BUSY,
    HubRefusedError: Outcome.REFUSED,
    ProductOfflineError: Outcome.OFFLINE,
    ProductGoneError: Outcome.GONE,
    WrongContentError: Outcome.WRONG,
}
_KNOWN = tuple(_OUTCOMES)


def outcome_of(error: BaseException) -> Outcome:
    """Tell how a try that failed so has ended; what is not an answer of a hub is ``broken``."""
    return next((one for kind, one in _OUTCOMES.items() if isinstance(error, kind)), Outcome.BROKEN)


@dataclass(frozen=True)
class Measurement:
    """What a try taught about a hub.

    Attributes
    ----------
    hub, name
        Where from, and what.
    at
        When it began, UTC.
    bytes
        How many came.
    seconds
        From the request to the end.
    first_byte_s
        From the request to the first byte; None where none came.
    outcome
        How it ended; ``stopped`` was our doing, and says nothing of the hub.
    sustained
        Bytes a second once it was under way, where that was measured apart; None where it is the
        bytes over the seconds since the first.
    """

    hub: str
    name: str
    at: datetime
    bytes: int
    seconds: float
    first_byte_s: float | None
    outcome: Outcome
    sustained: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far a transfer is: bytes there, of how many (when known), and from which hub."""

    hub: str
    have: int
    total: int | None


Measured = Callable[[Measurement], None]
Told = Callable[[Progress], None]


class Growing(Protocol):
    """What has come of a file so far: a `Part` on a disk, or what is handed on (`Through`)."""

    path: Path
    have: int

    def continues(self, source: Source) -> bool:
        """Tell whether what is there is the beginning of a source's file."""

    def adopt(self, source: Source) -> None:
        """Make ready to take a source's bytes."""

    def cut(self, length: int) -> None:
        """Forget what is beyond a length: a hub sends from there."""

    def append(self, piece: bytes) -> None:
        """Take the next bytes."""

    def discard(self) -> None:
        """Forget everything."""

    def verify(self, size: int | None, also: tuple[Mapping[str, str], ...] = ()) -> None:
        """Tell that the file is there and right; `WrongContentError` if it is not."""

    def finish(self) -> None:
        """Let it be the file."""


def attempt(
    part: Growing,
    source: Source,
    measured: Measured | None = None,
    told: Told | None = None,
    others: tuple[Mapping[str, str], ...] = (),
) -> None:
    """Bring the rest of a file from one hub, and verify the whole.

    Parameters
    ----------
    part
        What is there so far.
    source
        Where the rest comes from.
    measured, told
        Called with what was learned of the hub, and now and then with how far it is.
    others
        Checksums that other hubs tell of the same product.

    Raises
    ------
    HubBusyError, HubRefusedError, HubUnreachableError, ProductGoneError, ProductOfflineError
        As `Source.open` does; what came stays in the part.
    WrongContentError
        If what came is not the file; the part is empty then.
    DiskFullError
        If there is no room.
    """
    with observed(source.hub, source.name, measured, told) as course:
        part.adopt(source)
        _bring(part, source, course, others)


def _bring(
    part: Growing, source: Source, course: "Course", others: tuple[Mapping[str, str], ...]
) -> None:
    size = source.size
    # All of it is there where a process was killed at the very end.
    if part.have == 0 or part.have != size:
        size = _stream(part, source, course) or size
    try:
        part.verify(size, others)
        return
    except WrongContentError:
        # A length told at the head of an answer may be short of the file; the rest can be had.
        if source.size is None or part.have >= source.size or part.have == 0:
            part.discard()
            raise
    try:
        _stream(part, source, course)
        part.verify(source.size, others)
    except WrongContentError:
        part.discard()
        raise


def _stream(part: Growing, source: Source, course: "Course") -> int | None:
    """Take bytes until the answer ends; gives the length of the whole, where told."""
    reply = source.open(part.have)
    try:
        if reply.first_byte > part.have:
            raise HubUnreachableError(
                f"{source.name} from {source.hub}: asked from byte {part.have}, it sends from"
                f" {reply.first_byte}"
            )
        part.cut(reply.first_byte)
        total = source.size if reply.total is None else reply.total
        for piece in reply.chunks:
            part.append(piece)
            course.took(len(piece), part.have, total)
    finally:
        reply.close()
    if reply.total is not None and part.have < reply.total:
        raise HubUnreachableError(
            f"{source.name} from {source.hub}: it ends after {part.have} of {reply.total} bytes"
        )
    return reply.total


class Course:
    """What happens in the course of a try.

    Attributes
    ----------
    outcome
        How it ended; ``stopped`` until it did.
    """

    def __init__(self, hub: str, name: str, told: Told | None) -> None:
        self.outcome = Outcome.STOPPED
        self._hub, self._name, self._told = hub, name, told
        self._at, self._began = datetime.now(UTC), time.monotonic()
        self._bytes, self._first_s = 0, 0.0
        self._last_told = 0.0

    def took(self, count: int, have: int, total: int | None) -> None:
        """Note that so many bytes came, and how many of how many are there now."""
        now = time.monotonic()
        if self._bytes == 0:
            self._first_s = now - self._began
        self._bytes += count
        if self._told is not None and (have == total or now - self._last_told >= _TELL_EVERY_S):
            self._last_told = now
            self._told(Progress(self._hub, have, total))

    def measurement(self) -> Measurement:
        """Sum up."""
        return Measurement(
            self._hub,
            self._name,
            self._at,
            self._bytes,
            time.monotonic() - self._began,
            self._first_s if self._bytes else None,
            self.outcome,
        )


@contextmanager
def observed(hub: str, name: str, measured: Measured | None, told: Told | None) -> Iterator[Course]:
    """Watch a try to fetch something from a hub; however it ends, what it taught is told."""
    course = Course(hub, name, told)
    try:
        yield course
        course.outcome = Outcome.DONE
    except _KNOWN as error:
        course.outcome = outcome_of(error)
        raise
    finally:
        if measured is not None:
            measured(course.measurement())
