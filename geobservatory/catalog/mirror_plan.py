"""What the next run of the mirror would do, decided where the rows are.

Of a stream's products, newest first, those up to the high-water mark are to be there, if they are
newer than all that had to go already: they make the oldest go, down to the low-water mark. What had
to go, and what is as old, comes only where there is room well below the low-water mark (by half of
what lies between the marks), so that nothing goes back and forth.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from geobservatory.catalog.session import Sessions

# After so many failures in a row no room is kept for a product.
_HOPELESS = 8
HELD, FETCH, LATER, NO_ROOM = "held", "fetch", "later", "no room"

_KNOWN = text(
    """
    CREATE TEMP TABLE known ON COMMIT DROP AS
    WITH entries AS (
        SELECT w.scene_name, w.sensed_at, w.published_at, w.held_at, w.evicted_at, w.attempts,
            w.retry_at, w.reason, i.state AS there, coalesce(i.outdated, '') AS outdated,
            CASE
                WHEN i.state = 'held' AND i.stream <> :stream THEN 0
                WHEN i.state IN ('held', 'coming') THEN i.size_bytes
                ELSE coalesce(w.size_bytes, :usual)
            END AS size,
            CASE WHEN i.state IN ('held', 'coming') AND i.stream = :stream THEN i.size_bytes
                ELSE 0 END AS counted
        FROM mirror_wanted w LEFT JOIN mirror_inventory i USING (scene_name)
        WHERE w.stream = :stream AND w.state = 'wanted'
            AND w.sensed_at >= CAST(:start AS timestamptz)
    ), marks AS (
        -- What takes of the share and is not among them: annotations, parts, what is pinned.
        SELECT (SELECT coalesce(sum(size_bytes), 0) FROM mirror_inventory WHERE stream = :stream)
            - (SELECT coalesce(sum(counted), 0) FROM entries) AS beside,
            (SELECT max(sensed_at) FROM mirror_wanted
             WHERE stream = :stream AND state = 'wanted' AND evicted_at IS NOT NULL) AS cut
    ), summed AS (
        SELECT e.*, m.cut, m.beside + sum(
            CASE WHEN there = 'held' OR attempts < :hopeless THEN size ELSE 0 END
        ) OVER (ORDER BY sensed_at DESC, scene_name DESC ROWS UNBOUNDED PRECEDING) AS upto
        FROM entries e CROSS JOIN marks m
    )
    SELECT scene_name, sensed_at, published_at, held_at, evicted_at, attempts, retry_at, reason,
        there, outdated, size,
        CASE
            WHEN there = 'held' AND outdated = '' THEN 'held'
            WHEN there IS DISTINCT FROM 'held' AND upto > CASE
                WHEN sensed_at <= cut THEN :back ELSE :high END THEN 'no room'
            WHEN retry_at > CAST(:now AS timestamptz) THEN 'later'
            ELSE 'fetch'
        END AS turn
    FROM summed
    """
)
_TOTALS = text("SELECT turn, count(*), coalesce(sum(size), 0) FROM known GROUP BY turn")
_NEXT = text(
    """
    SELECT scene_name, sensed_at, published_at, size, there, outdated, attempts, evicted_at, reason,
        scene_name = ANY(:first) AS first
    FROM known WHERE turn = :turn
    ORDER BY scene_name = ANY(:first) DESC, coalesce(there = 'coming', false) DESC,
        CASE WHEN :newest THEN sensed_at END DESC, sensed_at, scene_name
    LIMIT :most
    """
)
_WHY = """
    CASE
        WHEN there = 'coming' THEN 'on its way'
        WHEN there = 'quarantined' THEN 'damaged, to be fetched again'
        WHEN evicted_at IS NOT NULL THEN 'had to go'
        WHEN turn = 'no room' THEN 'no room'
        WHEN attempts > 0 THEN 'could not be had so far'
        ELSE 'not fetched yet'
    END
"""
_DAYS = text(
    """
    SELECT date_trunc('day', sensed_at, 'UTC') AS day, count(*), count(*) FILTER (
        WHERE there = 'held'), percentile_cont(ARRAY[0.5, 0.9, 0.95]) WITHIN GROUP (
        ORDER BY extract(epoch FROM held_at - published_at))
    FROM known WHERE sensed_at >= CAST(:since AS timestamptz) GROUP BY day ORDER BY day
    """
)
_MISSING = text(
    f"""
    SELECT date_trunc('day', sensed_at, 'UTC'), {_WHY}, count(*), min(reason)
    FROM known WHERE there IS DISTINCT FROM 'held' AND sensed_at >= CAST(:since AS timestamptz)
    GROUP BY 1, 2 ORDER BY 1, 2
    """  # noqa: S608  (made of constants)
)
_NAMES = text(
    f"""
    SELECT scene_name, {_WHY}, reason FROM known
    WHERE there IS DISTINCT FROM 'held' AND sensed_at >= CAST(:since AS timestamptz)
    ORDER BY sensed_at DESC, scene_name LIMIT :most
    """  # noqa: S608
)


@dataclass(frozen=True)
class Limits:
    """What bounds a stream.

    Attributes
    ----------
    start
        When its window begins.
    low, high
        Its water marks, bytes.
    back
        Up to where what had to go comes back, bytes.
    usual
        Bytes of a product of which no hub tells the size.
    """

    stream: str
    start: datetime
    now: datetime
    low: int
    high: int
    back: int
    usual: int


@dataclass(frozen=True)
class Turn:
    """A product whose turn it is, or not.

    Attributes
    ----------
    there
        State in the inventory; None where nothing of it lies there.
    first
        Whether an open activation waits for it.
    """

    name: str
    sensed_at: datetime
    published_at: datetime
    size: int
    there: str | None
    outdated: str
    attempts: int
    evicted_at: datetime | None
    reason: str
    first: bool


@dataclass(frozen=True)
class Turns:
    """What the next run would fetch, the first first, and how many products are of which kind.

    Attributes
    ----------
    totals
        ``held``, ``fetch``, ``later``, ``no room`` to products and bytes.
    """

    fetch: tuple[Turn, ...]
    later: tuple[Turn, ...]
    totals: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Day:
    """A day of sensing: expected and held, why others are missing, how late they came, seconds.

    Attributes
    ----------
    missing
        Reason to how many, and a reason of one of them in full.
    latency
        From the first publication at any upstream until it lay here: median, 90 %, 95 %; None
        where nothing came.
    """

    day: datetime
    expected: int
    held: int
    missing: dict[str, tuple[int, str]]
    latency: tuple[float, float, float] | None


class PlanQueries(Sessions):
    """The part of the catalogue that says what is missing, and what is next."""

    def turns(
        self, limits: Limits, first: Collection[str], *, newest: bool = True, most: int = 500
    ) -> Turns:
        """Say whose turn it is.

        Parameters
        ----------
        first
            Names that go before all others.
        newest
            Whether the newest goes first of the others; else the oldest.
        most
            How many are listed of each kind.
        """
        asked = {"first": sorted(first), "newest": newest, "most": most}
        with self._known(limits) as session:
            totals = {turn: (int(n), int(size)) for turn, n, size in session.execute(_TOTALS)}
            fetch, later = (
                tuple(Turn(*row) for row in session.execute(_NEXT, {**asked, "turn": turn}))
                for turn in (FETCH, LATER)
            )
        return Turns(fetch, later, totals)

    def days(self, limits: Limits, since: datetime) -> list[Day]:
        """Tell of each day how much of what upstreams have is here, and why the rest is not."""
        with self._known(limits) as session:
            missing: dict[datetime, dict[str, tuple[int, str]]] = {}
            for day, why, count, reason in session.execute(_MISSING, {"since": since}):
                missing.setdefault(day, {})[why] = (count, reason)
            return [
                Day(day, expected, held, missing.get(day, {}), _latency(late))
                for day, expected, held, late in session.execute(_DAYS, {"since": since})
            ]

    def missing(self, limits: Limits, since: datetime, most: int) -> list[tuple[str, str, str]]:
        """List what is missing, the newest first: name, why, and that in full."""
        with self._known(limits) as session:
            return [
                (name, why, reason)
                for name, why, reason in session.execute(_NAMES, {"since": since, "most": most})
            ]

    @contextmanager
    def _known(self, limits: Limits) -> Iterator[Session]:
        with self._transaction() as session:
            session.execute(text("SET LOCAL work_mem = '128MB'"))
            asked = {**vars(limits), "hopeless": _HOPELESS}
            asked.pop("low")
            session.execute(_KNOWN, asked)
            yield session


def _latency(found: Any) -> tuple[float, float, float] | None:
    if found is None or found[0] is None:
        return None
    median, ninety, ninety_five = (float(one) for one in found)
    return median, ninety, ninety_five
