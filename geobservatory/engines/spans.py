"""Which bursts of which swath other programs are to take: a span of each pass, counted from one.

They count the bursts of a pass over all its slices, in order of time, and take them from a first to
a last; which of them see the same ground is known here by ESA's numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from geobservatory.engines.inputs import Inputs
from geobservatory.errors import InputError
from geobservatory.insar.pair import BurstPair, match_bursts
from geobservatory.sentinel1.safe import SafeProduct


@dataclass(frozen=True)
class Span:
    """Bursts of one swath: the first and last of each pass, counted from 1 over its slices."""

    swath: str
    reference: tuple[int, int]
    secondary: tuple[int, int]

    @property
    def bursts(self) -> int:
        """How many."""
        return self.reference[1] - self.reference[0] + 1


def spans(inputs: Inputs, least: int = 1) -> tuple[Span, ...]:
    """Find the span of bursts of each swath that is used.

    Parameters
    ----------
    least
        A program that cannot work with fewer gets neighbours beside those asked for.

    Raises
    ------
    InputError
        If a burst lacks between two others, or there are not enough.
    """
    chosen: dict[str, list[BurstPair]] = {}
    for tile in inputs.layout.tiles:
        chosen.setdefault(tile.pair.identity.swath, []).append(tile.pair)
    found = []
    for swath, pairs in sorted(chosen.items()):
        if len(pairs) < least:
            pairs = _with_neighbours(inputs, swath, pairs, least)
        passes = [
            _span(inputs.reference, swath, inputs.polarisation, pairs, secondary=False),
            _span(inputs.secondary, swath, inputs.polarisation, pairs, secondary=True),
        ]
        for slices, (first, last) in zip((inputs.reference, inputs.secondary), passes, strict=True):
            if last - first + 1 != len(pairs):
                raise InputError(
                    f"{slices[0].path}: of bursts {first} to {last} of {swath} only {len(pairs)} "
                    "are in both passes; the program takes them without gaps: ask for a smaller "
                    "area, or for other swaths"
                )
        found.append(Span(swath, passes[0], passes[1]))
    return tuple(found)


def _with_neighbours(
    inputs: Inputs, swath: str, pairs: list[BurstPair], least: int
) -> list[BurstPair]:
    """Add bursts beside those chosen, later ones first."""
    every = match_bursts(inputs.reference, inputs.secondary, inputs.polarisation, None, {swath})
    names = [one.identity for one in every]
    first, stop = names.index(pairs[0].identity), names.index(pairs[-1].identity) + 1
    while stop - first < least:
        if stop < len(every):
            stop += 1
        elif first > 0:
            first -= 1
        else:
            raise InputError(
                f"{inputs.reference[0].path}: {len(every)} burst of {swath} is in both passes, the "
                f"program needs {least}"
            )
    return every[first:stop]


def _span(
    slices: Sequence[SafeProduct],
    swath: str,
    polarisation: str,
    pairs: list[BurstPair],
    *,
    secondary: bool,
) -> tuple[int, int]:
    """Count where bursts stand among those of all slices of a pass."""
    before: dict[str, int] = {}
    count = 0
    for one in slices:
        if (swath, polarisation) in one.channels:
            annotation = one.annotation(swath, polarisation)
            before[annotation.file] = count
            count += len(annotation.bursts)
    places = [
        before[(pair.secondary if secondary else pair.reference).file]
        + (pair.secondary_burst if secondary else pair.reference_burst).index
        + 1
        for pair in pairs
    ]
    return min(places), max(places)
