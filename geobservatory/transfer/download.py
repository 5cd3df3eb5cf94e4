"""A product brought from whichever hub delivers it: resumed, continued elsewhere, verified, whole.

The hubs are tried in the order given, or as it is expected that they deliver soonest. A hub that
breaks off is asked once more after a moment (a broken connection still counts against its limit),
then the next goes on from the same byte if it has the same file. A hub that says when to come back
is left alone until then. What no hub has online has been ordered by asking; the caller comes back.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from geobservatory.errors import GeobservatoryError, InputError, TransientError
from geobservatory.transfer.attempt import Growing, Measured, Told, attempt
from geobservatory.transfer.lock import alone_at
from geobservatory.transfer.part import Part, WrongContentError
from geobservatory.transfer.slots import Slots
from geobservatory.transfer.source import (
    HubBusyError,
    HubRefusedError,
    HubUnreachableError,
    ProductGoneError,
    ProductOfflineError,
    Source,
)

PATIENCE_S = 3600.0
# Failures in a row, without a byte gained, after which a hub is given up for this product.
_MOST_FAILURES = 4
_MOST_WRONG = 2
# A shorter pause is waited for before the next hub is asked.
_SHORT_S = 2.0
_FULL_S = 0.5
_LONGEST_S = 120.0
_JITTER = random.SystemRandom()


@dataclass(frozen=True)
class Delivery:
    """What became of a wish for a product.

    Attributes
    ----------
    path
        Where it is; None where it has been ordered from a long-term archive.
    hub
        The hub that brought its end, or that it was ordered at; None where it was there already.
    retry_after_s
        When to come back for what was ordered, where a hub says so.
    """

    path: Path | None
    hub: str | None
    retry_after_s: float | None = None


def download(
    path: Path,
    sources: Sequence[Source],
    *,
    slots: Slots | None = None,
    measured: Measured | None = None,
    told: Told | None = None,
    expected: Callable[[Source], float] | None = None,
    patience_s: float = PATIENCE_S,
    wait: Callable[[float], None] = time.sleep,
) -> Delivery:
    """Bring a file under its final name.

    Where another process is bringing it, waits for that one and takes its result. A part that a
    killed process left is gone on with.

    Parameters
    ----------
    path
        Final name; the file appears there whole and verified, or not at all. What is there is
        taken as it is.
    sources
        Where it can be had, the best first.
    slots
        Places at the hubs; a hub with none free is passed over.
    measured, told
        Called after each try with what it taught, and now and then with how far it is.
    expected
        Tells in how many seconds a hub would have delivered if it were asked now; it is asked again
        before each try. A fast hub without a free place is then waited for rather than a slow one
        taken.
    patience_s
        How long hubs that are busy or failing are waited for in all.
    wait
        Waits so many seconds.

    Raises
    ------
    DiskFullError
        If there is no room.
    NotFoundError
        If no hub has it.
    ConfigurationError
        If no hub takes the credentials.
    TransientError
        If hubs failed in ways that may pass. The message names each hub's reason.
    """
    if not sources:
        raise InputError(f"{path.name}: no hub to fetch it from")
    with alone_at(path):
        if path.exists():
            return Delivery(path, None)
        with Part(path) as part:
            return bring(
                part,
                sources,
                slots=slots,
                measured=measured,
                told=told,
                expected=expected,
                patience_s=patience_s,
                wait=wait,
            )


def bring(
    part: Growing,
    sources: Sequence[Source],
    *,
    slots: Slots | None = None,
    measured: Measured | None = None,
    told: Told | None = None,
    expected: Callable[[Source], float] | None = None,
    patience_s: float = PATIENCE_S,
    wait: Callable[[float], None] = time.sleep,
) -> Delivery:
    """Bring the rest of a file, wherever it is put; see `download`."""
    course = _Course(part, sources, slots, measured, told, expected)
    return course.run(time.monotonic() + patience_s, wait)


@dataclass
class _Standing:
    """How a hub has done so far with this product."""

    source: Source
    not_before: float = 0.0
    failures: int = 0
    waits: int = 0
    wrong: int = 0
    failure: GeobservatoryError | None = None
    out: bool = False


class _Course:
    def __init__(
        self,
        part: Growing,
        sources: Sequence[Source],
        slots: Slots | None,
        measured: Measured | None,
        told: Told | None,
        expected: Callable[[Source], float] | None,
    ) -> None:
        self._part, self._slots, self._expected = part, slots, expected
        self._measured, self._told = measured, told
        self._hubs = [_Standing(source) for source in sources]

    def run(self, deadline: float, wait: Callable[[float], None]) -> Delivery:
        while candidates := [one for one in self._hubs if not one.out]:
            now = time.monotonic()
            chosen = self._choose(candidates, now)
            if chosen.not_before > deadline:
                break
            if chosen.not_before > now:
                wait(chosen.not_before - now)
            if self._try(chosen):
                self._part.finish()
                return Delivery(self._part.path, chosen.source.hub)
        return self._given_up()

    def _choose(self, candidates: "list[_Standing]", now: float) -> "_Standing":
        expected = self._expected
        if expected is not None:
            return min(
                candidates, key=lambda one: max(0.0, one.not_before - now) + expected(one.source)
            )
        ready = (one for one in candidates if one.not_before <= now + _SHORT_S)
        return next(ready, None) or min(candidates, key=lambda one: one.not_before)

    def _try(self, hub: _Standing) -> bool:
        release = None
        if self._slots is not None:
            release = self._slots.take(hub.source.hub)
            if release is None:
                hub.failure = HubBusyError(f"{hub.source.hub}: all places are taken by ourselves")
                # Longer than the pause that is waited for: another hub may have a place.
                hub.not_before = time.monotonic() + _SHORT_S + _FULL_S
                return False
        had = self._part.have if self._part.continues(hub.source) else 0
        try:
            self._attempt(hub)
        except HubUnreachableError as error:
            gained = self._part.have > had
            hub.failures = 1 if gained else hub.failures + 1
            self._later(hub, error, 4.0 ** (hub.failures - 1) * _JITTER.uniform(0.5, 1.0))
            hub.out = hub.failures >= _MOST_FAILURES
        except HubBusyError as error:
            hub.waits += 1
            guess = min(_LONGEST_S, 2.0**hub.waits * _JITTER.uniform(0.5, 1.0))
            self._later(hub, error, guess if error.retry_after_s is None else error.retry_after_s)
        except WrongContentError as error:
            hub.wrong += 1
            hub.failure, hub.out = error, hub.wrong >= _MOST_WRONG
        except (HubRefusedError, ProductGoneError, ProductOfflineError) as error:
            hub.failure, hub.out = error, True
        else:
            return True
        finally:
            if release is not None:
                release()
        return False

    def _attempt(self, hub: _Standing) -> None:
        others = tuple(one.source.checksums for one in self._hubs if one is not hub)
        attempt(self._part, hub.source, self._measured, self._told, others)

    def _later(self, hub: _Standing, error: GeobservatoryError, after_s: float) -> None:
        hub.failure, hub.not_before = error, time.monotonic() + after_s

    def _given_up(self) -> Delivery:
        failures = [one.failure for one in self._hubs if one.failure is not None]
        for one in self._hubs:
            if isinstance(one.failure, ProductOfflineError):
                return Delivery(None, one.source.hub, one.failure.retry_after_s)
        message = "; ".join(str(error) for error in failures)
        for kind in (TransientError, HubRefusedError, ProductGoneError):
            if any(isinstance(error, kind) for error in failures):
                raise kind(f"{self._part.path.name} could not be had: {message}")
        raise TransientError(f"{self._part.path.name} could not be had: no hub had its turn")
