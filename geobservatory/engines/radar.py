"""From two images to an interferogram in radar geometry, filtered, unwrapped and masked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobservatory.engines.inputs import Inputs
from geobservatory.engines.request import Progress, Request
from geobservatory.engines.work import Work
from geobservatory.insar.coherence import coherence, effective_looks, is_coherent
from geobservatory.insar.esd import Shift, estimate_shift
from geobservatory.insar.goldstein import goldstein
from geobservatory.insar.interferogram import Interferogram, blank
from geobservatory.insar.masks import Mask, terrain_mask
from geobservatory.insar.register import Registration, estimate_offset
from geobservatory.insar.seams import Seam, seams
from geobservatory.insar.stream import Offset, Prepared, burst_cells, prepare
from geobservatory.insar.unwrap import Unwrapped, unwrap

# Finer than this a shift in range changes nothing, in azimuth no phase that can be seen.
_LEAST_SAMPLES, _LEAST_LINES = 0.01, 0.0002


@dataclass(frozen=True)
class RadarMaps:
    """An interferogram on the looked-down grid; arrays are (rows, cols), NaN where nothing is.

    Attributes
    ----------
    phasor
        complex64 of unit size: filtered if that was asked for.
    coherence, amplitude
        float32; amplitude is the root of the reference's mean power, in digital numbers.
    unwrapped
        None if it was not asked for.
    mask
        uint8, bits of `Mask`.
    looks
        Independent looks of a cell.
    registration, shift, offset
        What was found by correlation, by spectral diversity beyond it (None if not asked for), and
        what was applied.
    """

    phasor: NDArray[np.complex64]
    coherence: NDArray[np.float32]
    amplitude: NDArray[np.float32]
    unwrapped: Unwrapped | None
    mask: NDArray[np.uint8]
    looks: float
    registration: Registration
    shift: Shift | None
    offset: Offset
    seams: tuple[Seam, ...]


def make_radar_maps(inputs: Inputs, request: Request, work: Work, progress: Progress) -> RadarMaps:
    """Take a pair through all steps that happen in radar geometry.

    Parameters
    ----------
    progress
        Told shares of this part alone.
    """
    layout, dem, images = inputs.layout, inputs.dem, inputs.images
    progress("geometry", 0.0)
    prepared = [prepare(tile.pair, inputs.flown, dem) for tile in layout.tiles]
    progress("registration", 0.03)
    registration = estimate_offset(layout, prepared, images, dem)
    offset = _significant(registration)
    shift = None
    if request.spectral_diversity:
        progress("spectral diversity", 0.08)
        shift = estimate_shift(layout, prepared, images, dem, offset)
        if shift.significant and abs(shift.lines) > _LEAST_LINES:
            offset = Offset(offset.lines + shift.lines, offset.samples)
    made = _interferogram(inputs, prepared, work, offset, progress)
    del prepared
    progress("coherence", 0.70)
    looks = effective_looks(inputs.pair.reference, layout.looks)
    found, valid = coherence(made), made.valid
    jumps = tuple(seams(made))
    phasor = _unit(made.cross, valid)
    amplitude = np.sqrt(made.reference_power / np.maximum(made.pixels, 1).astype(np.float32))
    amplitude[~valid] = np.nan
    del made
    if request.filtered:
        progress("filter", 0.74)
        phasor = _unit(goldstein(phasor, found), valid)
    progress("layover and shadow", 0.80)
    mask = terrain_mask(layout, inputs.flown[0], dem)
    mask[~valid] |= Mask.NO_DATA
    mask[valid & ~is_coherent(found, looks)] |= Mask.LOW_COHERENCE
    unwrapped = None
    if request.unwrapped:
        progress("unwrapping", 0.85)
        usable = mask == 0
        if usable.any():
            unwrapped = unwrap(phasor, found, looks, usable, request.unwrapper)
            mask[np.isnan(unwrapped.phase)] |= Mask.NOT_UNWRAPPED
    phasor[~valid] = np.nan
    return RadarMaps(
        phasor, found, amplitude, unwrapped, mask, looks, registration, shift, offset, jumps
    )


def _significant(registration: Registration) -> Offset:
    """Keep of an offset what is larger than its uncertainty and than what matters."""
    found = registration.offset
    lines = found.lines if abs(found.lines) > 3 * registration.sigma_lines else 0.0
    samples = found.samples if abs(found.samples) > 3 * registration.sigma_samples else 0.0
    return Offset(
        lines if abs(lines) > _LEAST_SAMPLES else 0.0,
        samples if abs(samples) > _LEAST_SAMPLES else 0.0,
    )


def _interferogram(
    inputs: Inputs, prepared: list[Prepared], work: Work, offset: Offset, progress: Progress
) -> Interferogram:
    """Make the look cells of all bursts, but for those that were kept."""
    layout = inputs.layout
    made = blank(layout)
    whole = sum(len(tile.rows) * len(tile.cols) for tile in layout.tiles)
    done = 0
    for number, (tile, one) in enumerate(zip(layout.tiles, prepared, strict=True), start=1):
        progress(f"burst {number} of {len(layout.tiles)}", 0.12 + 0.58 * done / whole)
        cells = work.load(tile)
        if cells is None:
            cells = burst_cells(
                one, inputs.images, inputs.dem, layout.looks, tile.rows, tile.cols, offset
            )
            work.save(tile, cells)
        made.put(tile, cells)
        done += len(tile.rows) * len(tile.cols)
    return made


def _unit(values: NDArray[np.complex64], valid: NDArray[np.bool_]) -> NDArray[np.complex64]:
    """Bring phasors to unit size, and to nought where there is nothing."""
    size = np.abs(values)
    seen = valid & (size > 0)
    unit = np.zeros_like(values)
    np.divide(values, size, out=unit, where=seen)
    return unit
