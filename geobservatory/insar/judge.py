"""Whether an interferogram can be trusted, and why: a plain verdict from what was measured.

The bounds below were set on simulated pairs whose faults are known (`docs/validation.md`).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from geobservatory.insar.detect import Deformation
from geobservatory.insar.esd import Shift
from geobservatory.insar.register import Registration
from geobservatory.insar.seams import Seam
from geobservatory.insar.terrain_check import TerrainMatch


class Level(StrEnum):
    """What a map is good for."""

    GOOD = "good"
    CARE = "usable with care"
    NOT_USABLE = "not usable"


@dataclass(frozen=True)
class Quality:
    """What was measured of an interferogram.

    Attributes
    ----------
    mean_coherence
        Of all cells with data that are not water.
    coherent_share
        Share of them whose coherence noise would not have.
    main_component
        Share of the unwrapped cells in the largest connected component; None if not unwrapped.
    registration, shift
        Residual offset by correlation, and beyond it by spectral diversity; None if not measured.
    seams
        Jumps between bursts and swaths; None if not measured.
    terrain
        How the image fits the heights.
    height_correlation, height_m_per_km
        Correlation of motion with height, and slope; None if not unwrapped.
    deformation
        What the map shows; None if not unwrapped.
    """

    mean_coherence: float
    coherent_share: float
    main_component: float | None
    registration: Registration | None
    shift: Shift | None
    seams: tuple[Seam, ...] | None
    terrain: TerrainMatch
    height_correlation: float | None
    height_m_per_km: float | None
    deformation: Deformation | None


@dataclass(frozen=True)
class Verdict:
    """The judgement and what it rests on; no reasons are needed for what is good."""

    level: Level
    reasons: tuple[str, ...]


def judge(quality: Quality, spacing_m: float) -> Verdict:
    """Judge an interferogram by its measured quality.

    Parameters
    ----------
    spacing_m
        Cell of the map.
    """
    bad: list[str] = []
    doubtful: list[str] = []
    _coherence(quality, bad, doubtful)
    _registration(quality, bad, doubtful)
    _heights(quality, spacing_m, bad, doubtful)
    _unwrapping(quality, bad, doubtful)
    if bad:
        return Verdict(Level.NOT_USABLE, (*bad, *doubtful))
    return Verdict(Level.CARE if doubtful else Level.GOOD, tuple(doubtful))


def _coherence(quality: Quality, bad: list[str], doubtful: list[str]) -> None:
    share = quality.coherent_share
    text = f"{share:.0%} of the cells with data are coherent (mean {quality.mean_coherence:.2f})"
    if not share >= 0.1:
        bad.append(f"only {text}")
    elif share < 0.5:
        doubtful.append(f"only {text}")


def _registration(quality: Quality, bad: list[str], doubtful: list[str]) -> None:
    registration, shift = quality.registration, quality.shift
    if registration is not None:
        if math.isinf(registration.sigma_lines):
            bad.append("the images could not be registered: nothing coherent at any offset tried")
            return
        offset = registration.offset
        for value, what in ((offset.lines, "lines"), (offset.samples, "samples")):
            if abs(value) > 0.5:
                doubtful.append(
                    f"the secondary lies {value:+.2f} {what} from where its orbit says; corrected"
                )
    if shift is not None and shift.overlaps == 0:
        doubtful.append("no burst overlap to measure the azimuth shift by")
    elif shift is not None and shift.sigma_lines > 0.005:
        doubtful.append(f"the azimuth shift is known to {shift.sigma_lines:.3f} lines only")
    jumps = [one for one in quality.seams or () if abs(one.jump) > 3 * one.sigma]
    if not jumps:
        return
    worst = max(jumps, key=lambda one: abs(one.jump))
    text = f"phase jumps by {worst.jump:+.2f} rad between {worst.before} and {worst.after}"
    # Ground that moved along the track makes such jumps too, some 0.2 rad for 10 cm.
    if abs(worst.jump) > 2:
        bad.append(text)
    elif abs(worst.jump) > 0.5:
        doubtful.append(text)


def _heights(quality: Quality, spacing_m: float, bad: list[str], doubtful: list[str]) -> None:
    terrain = quality.terrain
    away_m = math.hypot(terrain.east_m, terrain.north_m)
    if terrain.telling and quality.coherent_share >= 0.1:
        if terrain.correlation < 0.1:
            bad.append(
                f"the image does not show the relief of the heights (correlation "
                f"{terrain.correlation:.2f}): they are of another place, or wrong"
            )
        elif away_m > max(60.0, 1.5 * spacing_m):
            bad.append(
                f"the image lies {away_m:.0f} m from the heights ({terrain.east_m:+.0f} m east, "
                f"{terrain.north_m:+.0f} m north): datum or orbit are wrong"
            )
        elif away_m > max(25.0, 0.6 * spacing_m):
            doubtful.append(
                f"the image lies {away_m:.0f} m from the heights ({terrain.east_m:+.0f} m east, "
                f"{terrain.north_m:+.0f} m north)"
            )
    correlation, slope = quality.height_correlation, quality.height_m_per_km
    if correlation is not None and slope is not None and abs(correlation) > 0.6:
        if abs(slope) > 0.05:
            bad.append(
                f"motion follows the height, {slope * 1e3:+.0f} mm a kilometre: heights are wrong"
            )
        elif abs(slope) > 0.01:
            doubtful.append(
                f"motion follows the height, {slope * 1e3:+.0f} mm a kilometre: atmosphere or "
                "heights"
            )


def _unwrapping(quality: Quality, bad: list[str], doubtful: list[str]) -> None:
    if quality.main_component is not None:
        if quality.main_component == 0:
            bad.append("nothing could be unwrapped")
        elif quality.main_component < 0.8:
            doubtful.append(
                f"the largest connected component is {quality.main_component:.0%} of what was "
                "unwrapped; between components whole turns are not known"
            )
    # Deformation that fills a map looks like a ramp.
    if quality.deformation is not None and not quality.deformation.detected:
        east, north = quality.deformation.ramp_m_per_100km
        if math.hypot(east, north) > 0.1:
            doubtful.append(
                f"a ramp of {east * 1e3:+.0f} mm east and {north * 1e3:+.0f} mm north over 100 km "
                "is left: orbit, ionosphere, or deformation wider than the map"
            )
