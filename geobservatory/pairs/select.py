"""Which pairs of a track show what an event did, which are next best, and what is still to come."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Literal

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from geobservatory.catalog.pairs import Pair
from geobservatory.globe import area_km2
from geobservatory.hubs.model import Product
from geobservatory.pairs.passes import Pass, group_passes, share
from geobservatory.pairs.score import Score, score

Kind = Literal["co-event", "pre-event", "post-event"]
Baseline = Callable[[Pass, Pass], float | None]

# A pass is as good as another if it covers this much of what the best one does: slices are cut
# anywhere, and a sliver is not worth twelve days.
_ENOUGH = 0.95
# Less of the area than both of these is not worth a map; nor is a slice that sees less than this.
_LEAST, _LEAST_KM2, _SLIVER = 0.05, 500.0, 0.005
# A pair that sees less than this of what the track can see is not even an alternative.
_POOR = 0.3
# How long after a pass its other slices may still come.
_ARRIVING = timedelta(hours=24)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Wish:
    """What is wanted of every track.

    Attributes
    ----------
    area
        EPSG:4326 within ±180 degrees.
    events
        Identifier to origin time, UTC; at least one.
    until
        Images are waited for until then.
    now
        Time of the choice, UTC.
    pre_event, post_event, chain
        Whether to choose pairs with nothing between, before and after; and all that follow each
        other.
    alternatives
        How many next-best pairs to list for each one that shows an event.
    """

    area: BaseGeometry
    events: Mapping[str, datetime]
    until: datetime
    now: datetime
    tracks: tuple[int, ...] = ()
    pre_event: bool = True
    post_event: bool = False
    chain: bool = False
    alternatives: int = 0


@dataclass(frozen=True)
class Track:
    """What was chosen of a track.

    Attributes
    ----------
    coverage
        Share of the area that the track sees at best, 0 to 1.
    pairs
        Those that show an event first, the alternatives after the best, then the others.
    waits_for
        What has to come before the track is done; empty where nothing has.
    lacks
        Why there is no better pair, and never will be; empty where nothing is amiss.
    """

    relative_orbit: int
    direction: str
    coverage: float
    pairs: tuple[Pair, ...]
    waits_for: str = ""
    lacks: str = ""


def choose_pairs(
    products: Iterable[Product], wish: Wish, baseline: Baseline = lambda one, other: None
) -> list[Track]:
    """Choose the pairs of every track over an area, those that see most of it first.

    Parameters
    ----------
    products
        All that are known over the area, of any track, before and after.
    baseline
        Perpendicular baseline of two passes, metres; None where it is not known.
    """
    passes = [one for each in group_passes(products) if (one := each.over(wish.area)) is not None]

    def track(one: Pass) -> tuple[int, str]:
        return one.relative_orbit, one.direction

    tracks = [
        _Chooser(list(members), wish, baseline).choose()
        for (orbit, _), members in groupby(sorted(passes, key=track), key=track)
        if not wish.tracks or orbit in wish.tracks
    ]
    return sorted(tracks, key=lambda one: (-round(one.coverage, 3), one.relative_orbit))


@dataclass(frozen=True)
class _Candidate:
    """Two passes, what lies between them, and how good they are together."""

    reference: Pass
    secondary: Pass
    spans: tuple[str, ...]
    coverage: float
    score: Score

    @property
    def order(self) -> tuple[float, datetime, datetime]:
        """The best first; equals by time, so that the input's order does not matter."""
        return -round(self.score.value, 9), self.secondary.start, self.reference.start


class _Chooser:
    """The passes of one track, and what is wanted of them."""

    def __init__(self, passes: list[Pass], wish: Wish, baseline: Baseline) -> None:
        self._passes = sorted(passes, key=lambda one: (one.start, one.mission))
        self._wish, self._baseline = wish, baseline
        self._seen = {id(one): share(wish.area, one.footprint) for one in passes}
        self._best = max(self._seen.values())
        self._first, self._last = min(wish.events.values()), max(wish.events.values())

    def choose(self) -> Track:
        """Choose."""
        one = self._passes[0]
        seen_km2 = self._best * area_km2(mapping(self._wish.area))
        if self._best < _LEAST and seen_km2 < _LEAST_KM2:
            seen = f"sees {seen_km2:.0f} km² of the area, too little for a map"
            lacks = f"track {one.relative_orbit} {seen}"
            return Track(one.relative_orbit, one.direction, self._best, (), lacks=lacks)
        pairs, taken = self._co_event()
        before = [one for one in self._passes if one.stop < self._first]
        after = [one for one in self._passes if one.start > self._last]
        if self._wish.pre_event:
            pairs += self._quiet("pre-event", before)
        if self._wish.post_event:
            pairs += self._quiet("post-event", after)
        if self._wish.chain:
            pairs += self._chain()
        once = {pair.id: pair for pair in reversed(pairs)}
        waits_for, lacks = self._state(before, after, taken)
        return Track(
            one.relative_orbit,
            one.direction,
            self._best,
            tuple(once[name] for name in dict.fromkeys(one.id for one in pairs)),
            waits_for,
            lacks,
        )

    def _co_event(self) -> tuple[list[Pair], list[_Candidate]]:
        """Choose for each event the best pair, if possible one that shows it alone."""
        candidates = [
            one
            for number, reference in enumerate(self._passes)
            for secondary in self._passes[number + 1 :]
            if (one := self._candidate(reference, secondary)) is not None and one.spans
        ]
        pairs: list[Pair] = []
        taken: list[_Candidate] = []
        for event in sorted(self._wish.events, key=lambda one: (self._wish.events[one], one)):
            showing = sorted(
                (one for one in candidates if event in one.spans), key=lambda one: one.order
            )
            alone = [one for one in showing if len(one.spans) == 1]
            enough = [one for one in showing if self._is_enough(one)]
            ranked = [one for one in alone if self._is_enough(one)] or enough or showing
            if not ranked or any(ranked[0] is one for one in taken):
                continue
            taken.append(ranked[0])
            others = [one for one in showing if one is not ranked[0]]
            for rank, chosen in enumerate([ranked[0], *others[: self._wish.alternatives]]):
                pairs.append(self._pair("co-event", chosen, rank))
        return pairs, taken

    def _candidate(self, reference: Pass, secondary: Pass) -> _Candidate | None:
        """Put two passes together, without slices that add nothing; None where they do not fit."""
        if not reference.polarisations & secondary.polarisations & {"VV", "HH"}:
            return None
        if secondary.start <= reference.stop:
            return None
        coverage = share(self._wish.area, reference.footprint, secondary.footprint)
        if coverage < _POOR * self._best:
            return None
        events = self._wish.events
        if any(
            one.start <= time <= one.stop
            for one in (reference, secondary)
            for time in events.values()
        ):
            # What happened during a pass is on some lines of the image and not on others.
            return None
        spans = [name for name in events if reference.stop < events[name] < secondary.start]
        spans.sort(key=lambda name: (events[name], name))
        one = _trim(reference, secondary, self._wish.area)
        other = _trim(secondary, one, self._wish.area)
        last = max((events[name] for name in spans), default=secondary.start)
        found = score(
            (secondary.start - reference.start) / _DAY,
            min(1.0, coverage / self._best),
            (secondary.start - last) / _DAY,
            self._baseline(one, other),
        )
        return _Candidate(one, other, tuple(spans), coverage, found)

    def _is_enough(self, one: _Candidate) -> bool:
        return one.coverage >= _ENOUGH * self._best

    def _quiet(self, kind: Kind, passes: Sequence[Pass]) -> list[Pair]:
        """Choose the best pair with no event between; of equals the one nearest to the events."""
        candidates = [
            found
            for one, other in _pairs(passes)
            if (found := self._candidate(one, other)) is not None
        ]
        if not candidates:
            return []
        enough = [one for one in candidates if self._is_enough(one)] or candidates

        def order(one: _Candidate) -> tuple[float, timedelta]:
            edges = one.secondary.start - self._first, one.reference.start - self._last
            return -round(one.score.value, 2), min(abs(edge) for edge in edges)

        return [self._pair(kind, min(enough, key=order), 0)]

    def _chain(self) -> list[Pair]:
        """Pair every pass with the next that covers as much."""
        enough = [one for one in self._passes if self._seen[id(one)] >= _ENOUGH * self._best]
        found = [self._candidate(one, other) for one, other in pairwise(enough)]
        return [self._pair(self._kind(one), one, 0) for one in found if one is not None]

    def _kind(self, one: _Candidate) -> Kind:
        if one.spans:
            return "co-event"
        return "pre-event" if one.secondary.stop < self._first else "post-event"

    def _pair(self, kind: Kind, one: _Candidate, rank: int) -> Pair:
        reference, secondary = one.reference, one.secondary
        times = f"{reference.start:%Y%m%dT%H%M%S}-{secondary.start:%Y%m%dT%H%M%S}"
        return Pair(
            id=f"{kind}-{reference.relative_orbit:03d}-{times}",
            kind=kind,
            relative_orbit=reference.relative_orbit,
            direction=reference.direction,
            reference_time=reference.start,
            secondary_time=secondary.start,
            reference=reference.names,
            secondary=secondary.names,
            score=round(one.score.value, 4),
            rank=rank,
            spans=one.spans,
            reason=self._reason(kind, one, rank),
        )

    def _reason(self, kind: Kind, one: _Candidate, rank: int) -> str:
        apart = one.secondary.start - one.reference.start
        said = ["the best of its track" if rank == 0 else f"alternative {rank}"]
        said.append(f"{_long(apart)} between the images")
        if one.spans:
            times = [self._wish.events[name] for name in one.spans]
            before, after = min(times) - one.reference.stop, one.secondary.start - max(times)
            said.append(f"{_long(before)} before and {_long(after)} after")
            if len(times) > 1:
                said.append(f"{len(times)} events lie between, which no pair tells apart")
            elif len(self._wish.events) > 1:
                said.append("one event alone lies between")
        else:
            said.append("nothing should have moved")
        said.append(f"{one.coverage:.0%} of the area")
        if not self._is_enough(one):
            said.append(f"the track sees {self._best:.0%} at best")
        score = one.score
        sum_up = f"coherence {score.coherence:.2f} × coverage {score.coverage:.2f}"
        if one.spans:
            sum_up += f" × promptness {score.promptness:.2f}"
        return "; ".join([*said, f"score {score.value:.2f} = {sum_up}"])

    def _state(
        self, before: Sequence[Pass], after: Sequence[Pass], taken: Sequence[_Candidate]
    ) -> tuple[str, str]:
        """Say what the track still waits for, or what it lacks for good."""
        unseen = [
            name
            for name in self._wish.events
            if not any(name in one.spans and self._is_enough(one) for one in taken)
        ]
        if not unseen:
            return "", ""
        orbit = f"track {self._passes[0].relative_orbit}"
        if not before:
            return "", f"{orbit}: no image from before the event"
        if not after:
            missing = f"{orbit}: an image from after the event"
        else:
            missing = f"{orbit}: an image that covers what the track can see of the area"
        latest = self._passes[-1]
        if after and self._wish.now - latest.stop < _ARRIVING:
            missing += f", or the other slices of {latest.start:%Y-%m-%d %H:%M}"
        if self._wish.now <= self._wish.until:
            return missing, ""
        return "", f"{missing}: none came until {self._wish.until:%Y-%m-%d}"


def _pairs(passes: Sequence[Pass]) -> list[tuple[Pass, Pass]]:
    return [(one, other) for number, one in enumerate(passes) for other in passes[number + 1 :]]


def _trim(one: Pass, other: Pass, area: BaseGeometry) -> Pass:
    """Leave out slices that see next to nothing of the area together with the other pass."""
    kept = tuple(
        each for each in one.slices if share(area, each.footprint, other.footprint) > _SLIVER
    )
    return Pass(one.mission, one.relative_orbit, one.direction, kept or one.slices)


def _long(span: timedelta) -> str:
    """Write a span of time."""
    days = span / _DAY
    return f"{days:.1f} days" if days >= 1 else f"{24 * days:.1f} hours"
