"""From radar geometry to the layers of the map, and what they say of their own quality."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobservatory.engines.inputs import Inputs
from geobservatory.engines.radar import RadarMaps
from geobservatory.insar.coherence import phase_deviation
from geobservatory.insar.detect import find_deformation
from geobservatory.insar.esd import Shift
from geobservatory.insar.geocode import Lookup, interpolate, look_up, nearest
from geobservatory.insar.judge import Quality
from geobservatory.insar.masks import Mask, level_ground
from geobservatory.insar.register import Registration
from geobservatory.insar.seams import Seam
from geobservatory.insar.terrain_check import match_terrain


@dataclass(frozen=True)
class Maps:
    """Layers on the grid of the map, (rows, cols); NaN where there is nothing.

    Phases and displacements count from the middle (median) of the largest connected component.

    Attributes
    ----------
    wrapped, unwrapped
        Radians; unwrapped differs from wrapped by whole turns.
    coherence, amplitude
        As in `RadarMaps`.
    displacement_m, deviation_m
        Along the line of sight, positive toward the satellite; its standard deviation.
    components
        uint16: number of the connected component, by size; 0 where nothing was unwrapped.
    mask
        uint8, bits of `Mask`.
    reference_phase
        What was taken from all phases, radians.
    """

    lookup: Lookup
    wrapped: NDArray[np.float32]
    unwrapped: NDArray[np.float32] | None
    coherence: NDArray[np.float32]
    amplitude: NDArray[np.float32]
    displacement_m: NDArray[np.float32] | None
    deviation_m: NDArray[np.float32]
    components: NDArray[np.uint16] | None
    mask: NDArray[np.uint8]
    reference_phase: float


@dataclass(frozen=True)
class Brought:
    """What came of an interferogram on the grid of the map, before phases count from anywhere.

    Attributes
    ----------
    phasor
        complex64 of any size, NaN where there is nothing.
    coherence, amplitude
        As in `Maps`.
    turns
        Unwrapped phase as far as its whole turns go, radians; None if nothing was unwrapped.
    components
        uint16; None if nothing was unwrapped.
    mask
        What is known without the map: bits of `Mask`.
    """

    lookup: Lookup
    phasor: NDArray[np.complex64]
    coherence: NDArray[np.float32]
    amplitude: NDArray[np.float32]
    turns: NDArray[np.float32] | None
    components: NDArray[np.uint16] | None
    mask: NDArray[np.uint8]


def bring(inputs: Inputs, radar: RadarMaps) -> Brought:
    """Bring everything to the map."""
    lookup = look_up(inputs.grid, inputs.layout, inputs.flown[0], inputs.dem)
    turns, components = None, None
    if radar.unwrapped is not None:
        turns = nearest(radar.unwrapped.phase, lookup, np.nan)
        components = nearest(_small(radar.unwrapped.components), lookup, 0)
    return Brought(
        lookup=lookup,
        phasor=interpolate(radar.phasor, lookup),
        coherence=np.clip(interpolate(radar.coherence, lookup), 0, 1),
        amplitude=interpolate(radar.amplitude, lookup),
        turns=turns,
        components=components,
        mask=nearest(radar.mask, lookup, Mask.NO_DATA),
    )


def make_maps(brought: Brought, wavelength_m: float, looks: float) -> Maps:
    """Make the layers of the map.

    Parameters
    ----------
    looks
        Independent ones, by which coherence tells the noise of phase.
    """
    phasor, components, mask = brought.phasor, brought.components, brought.mask
    found = brought.coherence
    metres_a_radian = wavelength_m / (4 * math.pi)
    deviation = phase_deviation(found, looks) * np.float32(metres_a_radian)
    unwrapped, reference = None, 0.0
    if brought.turns is not None and components is not None:
        unwrapped = congruent(np.angle(phasor), brought.turns)
        components[np.isnan(unwrapped)] = 0
        main = components == 1
        reference = float(np.median(unwrapped[main])) if main.any() else 0.0
        unwrapped -= np.float32(reference)
        phasor *= np.complex64(np.exp(-1j * reference))
    mask[np.isnan(brought.lookup.height_m)] |= Mask.NO_HEIGHT
    mask[np.isnan(phasor)] |= Mask.NO_DATA
    _mark_water(mask, brought.lookup.height_m, found)
    return Maps(
        lookup=brought.lookup,
        wrapped=np.angle(phasor),
        unwrapped=unwrapped,
        coherence=found,
        amplitude=brought.amplitude,
        displacement_m=None if unwrapped is None else unwrapped * np.float32(-metres_a_radian),
        deviation_m=deviation,
        components=components,
        mask=mask,
        reference_phase=reference,
    )


def measure(
    maps: Maps,
    registration: Registration | None,
    shift: Shift | None,
    seams: tuple[Seam, ...] | None,
) -> Quality:
    """Measure the quality of the maps.

    Parameters
    ----------
    registration, shift, seams
        What was found before; None where nobody looked.
    """
    bad = Mask.NO_DATA | Mask.NO_HEIGHT | Mask.WATER | Mask.LAYOVER | Mask.SHADOW
    land = (maps.mask & bad) == 0
    found = maps.coherence[land]
    share = float((maps.mask[land] & Mask.LOW_COHERENCE == 0).mean()) if found.size else 0.0
    correlation = slope = main = deformation = None
    if maps.components is not None and maps.displacement_m is not None:
        unwrapped = int((maps.components > 0).sum())
        main = float((maps.components == 1).sum() / unwrapped) if unwrapped else 0.0
        trusted = np.where(maps.components == 1, maps.displacement_m, np.float32(np.nan))
        deformation = find_deformation(trusted, maps.lookup.grid)
        correlation, slope = _with_height(trusted, maps.lookup.height_m)
    return Quality(
        mean_coherence=float(found.mean()) if found.size else 0.0,
        coherent_share=share,
        main_component=main,
        registration=registration,
        shift=shift,
        seams=seams,
        terrain=match_terrain(maps.amplitude, maps.lookup),
        height_correlation=correlation,
        height_m_per_km=slope,
        deformation=deformation,
    )


def congruent(wrapped: NDArray[np.float32], turns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add the whole turns that bring a phase nearest to another."""
    whole = np.rint((turns - wrapped) / np.float32(2 * math.pi))
    return wrapped + whole * np.float32(2 * math.pi)


def _small(components: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """Keep the components that 16 bits can number; the others are too small to matter."""
    return np.where(components < 65535, components, 0).astype(np.uint16)


def _mark_water(
    mask: NDArray[np.uint8], height_m: NDArray[np.float32], found: NDArray[np.float32]
) -> None:
    """Mark level ground that is hardly coherent: plains of that kind are water."""
    hardly = ((mask & Mask.LOW_COHERENCE) != 0) | ~(found > 0.5)
    mask[level_ground(height_m) & hardly] |= Mask.WATER


def _with_height(
    displacement_m: NDArray[np.float32], height_m: NDArray[np.float32]
) -> tuple[float, float]:
    """Correlation of motion and height, and metres of motion a kilometre; planes taken off both."""
    step = max(1, math.isqrt(displacement_m.size // 1_000_000))
    moved, height = displacement_m[::step, ::step], height_m[::step, ::step]
    rows, cols = np.nonzero(np.isfinite(moved) & np.isfinite(height))
    if rows.size < 100:
        return 0.0, 0.0
    plane = np.column_stack([rows, cols, np.ones(rows.size)]).astype(np.float64)
    rest = [
        values - plane @ np.linalg.lstsq(plane, values, rcond=None)[0]
        for values in (moved[rows, cols].astype(np.float64), height[rows, cols].astype(np.float64))
    ]
    deviations = [float(one.std()) for one in rest]
    if min(deviations) == 0:
        return 0.0, 0.0
    correlation = float((rest[0] * rest[1]).mean()) / (deviations[0] * deviations[1])
    return correlation, correlation * deviations[0] / deviations[1] * 1e3
