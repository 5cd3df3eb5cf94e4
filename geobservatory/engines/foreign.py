"""The frame of engines that are other programs: from what they left to a map like any other.

The request is opened and refused as the native engine does it; the lines of sight, heights, layover
and shadow of the map are of our own geometry, of the same orbits and heights, whoever made the
phase; and what the program left is brought to the map, judged and written by the same code.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from geobservatory import __version__
from geobservatory.engines.engine import Engine
from geobservatory.engines.inputs import Inputs, open_inputs
from geobservatory.engines.left import Left, Raster, on_grid, phasor_on_grid
from geobservatory.engines.maps import Brought, make_maps, measure
from geobservatory.engines.outputs import Account, write_outputs
from geobservatory.engines.request import Progress, Request, Result, part_of
from geobservatory.engines.work import key_of, opened, whatever_fails_is_told
from geobservatory.errors import InputError
from geobservatory.insar.coherence import effective_looks, is_coherent
from geobservatory.insar.geocode import Lookup, line_of_sight, look_up, nearest
from geobservatory.insar.judge import judge
from geobservatory.insar.masks import Mask, terrain_mask
from geobservatory.insar.unwrap import unwrap
from geobservatory.sentinel1.safe import SafeProduct

# Share of the time that each part takes, about.
_OPENED, _PROGRAM, _MAPS = 0.02, 0.85, 0.93
# Phases of one interferogram, or motion and phase, agree to less than this where sign and unit are
# as declared; a height or an incidence angle of the same place to less than that.
_LEAST_AGREEMENT, _MOST_METRES, _MOST_DEGREES = 0.5, 50.0, 1.0


@dataclass(frozen=True)
class Job:
    """What a program is to do, and where.

    Attributes
    ----------
    folder
        Its own, kept until the map is published; a run that was broken off finds there what it had.
    progress
        Told shares of the program's part alone.
    """

    request: Request
    inputs: Inputs
    folder: Path
    progress: Progress


@dataclass(frozen=True)
class Done:
    """What came of a program's work.

    Attributes
    ----------
    left
        Its rasters.
    software
        Name and version of each program.
    parameters
        What was done, in the program's own words.
    kept
        Files that stay with the map: the log, the graph or script. Their names begin with the
        engine's, and differ in more than the ending: the catalogue knows files by stem.
    looks
        Independent ones of a cell; those of the native engine's cell if None.
    """

    left: Left
    software: Mapping[str, str]
    parameters: Mapping[str, Any]
    kept: tuple[Path, ...] = ()
    looks: float | None = None


def make_by(
    engine: Engine, request: Request, progress: Progress, work_out: Callable[[Job], Done]
) -> Result:
    """Make an interferogram by another program.

    Parameters
    ----------
    work_out
        Runs the program; what it raises ends the work, and its folder stays.

    Raises
    ------
    InputError
        If the request cannot be met, or what the program left cannot be what it should.
    GeobservatoryError
        If the folder cannot be written, or another process works there; what `work_out` raises.
    TransientError
        If heights or orbits could not be fetched.
    """
    started = time.monotonic()
    progress("opening", 0.0)
    with (
        whatever_fails_is_told(request.out),
        open_inputs(request) as inputs,
        opened(request.out, _key(engine, inputs, request)) as work,
    ):
        _require_whole((*inputs.reference, *inputs.secondary), engine.name)
        job = Job(request, inputs, work.kept, part_of(progress, _OPENED, _PROGRAM))
        done = work_out(job)
        progress("bringing to the map", _PROGRAM)
        looks = done.looks or effective_looks(inputs.pair.reference, inputs.layout.looks)
        brought, unwrapper = bring_left(inputs, request, done.left, looks)
        maps = make_maps(brought, inputs.pair.reference.wavelength_m, looks)
        quality = measure(maps, None, None, None)
        verdict = judge(quality, request.spacing_m)
        account = Account(
            engine=engine.name,
            looks=looks,
            parameters={**done.parameters, "unwrapper": unwrapper},
            software=done.software,
            seconds=time.monotonic() - started,
            kept=done.kept,
        )
        result = write_outputs(
            work.results, inputs, request, maps, account, quality, verdict,
            part_of(progress, _MAPS, 1.0),
        )  # fmt: skip
        work.publish()
    progress("done", 1.0)
    return result


def _require_whole(slices: Sequence[SafeProduct], program: str) -> None:
    """Refuse products that were fetched in part: other programs take their holes for pixels."""
    for one in slices:
        if one.partial is not None:
            raise InputError(
                f"{one.path}: was fetched in part; the engine {program} needs the whole product:"
                " fetch it without an area (`geobs fetch`)"
            )


def _key(engine: Engine, inputs: Inputs, request: Request) -> str:
    """Name all that a program's work depends on."""
    return key_of(
        {
            **inputs.facts(),
            "version": __version__,
            "engine": engine.fingerprint(),
            "area": None if request.area is None else request.area.wkt,
            "spacing": request.spacing_m,
            "steps": (request.filtered, request.unwrapped, request.spectral_diversity),
        }
    )


def bring_left(
    inputs: Inputs, request: Request, left: Left, looks: float
) -> tuple[Brought, str | None]:
    """Bring what a program left to the map.

    Returns
    -------
    brought
        Everything on the map's grid, in our units and signs, cut to the bursts asked for.
    unwrapper
        Who unwrapped: ``the program``, or our own where it left no unwrapped phase; None where
        nothing was unwrapped.

    Raises
    ------
    InputError
        If something is not there, lies elsewhere, or contradicts something else.
    """
    if left.coherence is None:
        raise InputError("the program left no coherence; without it nothing can be judged")
    lookup = look_up(inputs.grid, inputs.layout, inputs.flown[0], inputs.dem)
    _require_place(left, lookup, inputs)
    mask = _mask(inputs, lookup)
    phase, turns = _phases(left, inputs)
    grid = inputs.grid
    found = np.clip(on_grid(left.coherence.scaled(), left.coherence, grid, "bilinear"), 0, 1)
    outside = (mask & Mask.NO_DATA) != 0
    phase[outside | ~np.isfinite(found)] = np.nan
    found[outside] = np.nan
    mask[np.isfinite(phase) & ~is_coherent(found, looks)] |= Mask.LOW_COHERENCE
    mask[np.isnan(phase)] |= Mask.NO_DATA
    components, unwrapper = None, None
    if turns is not None:
        unwrapper = "the program"
        turns[np.isnan(phase)] = np.nan
        components = _components(left.components, turns, inputs)
    elif request.unwrapped and (usable := mask == 0).any():
        ours = unwrap(phase, found, max(looks, 1.0), usable, request.unwrapper)
        unwrapper = f"{ours.method} {ours.version}, on the map"
        turns = ours.phase
        components = np.where(ours.components < 65535, ours.components, 0).astype(np.uint16)
    if turns is not None:
        mask[np.isnan(turns)] |= Mask.NOT_UNWRAPPED
    amplitude = np.full((grid.rows, grid.cols), np.nan, np.float32)
    if left.amplitude is not None:
        amplitude = on_grid(left.amplitude.magnitude(), left.amplitude, grid, "bilinear")
        amplitude[outside] = np.nan
    return Brought(lookup, phase, found, amplitude, turns, components, mask), unwrapper


def _mask(inputs: Inputs, lookup: Lookup) -> NDArray[np.uint8]:
    """Mark layover and shadow, and what no burst that was asked for covers."""
    mask = terrain_mask(inputs.layout, inputs.flown[0], inputs.dem)
    covered = np.zeros(mask.shape, np.bool_)
    for tile in inputs.layout.tiles:
        covered[tile.rows.start : tile.rows.stop, tile.cols.start : tile.cols.stop] = True
    mask[~covered] |= Mask.NO_DATA
    return nearest(mask, lookup, Mask.NO_DATA)


def _phases(left: Left, inputs: Inputs) -> tuple[NDArray[np.complex64], NDArray[np.float32] | None]:
    """Give phasors and, if something was unwrapped, the phase with its turns, on the map."""
    grid = inputs.grid
    radians_a_metre = -4 * math.pi / inputs.pair.reference.wavelength_m
    smooth, metres = left.unwrapped, None
    if left.displacement is not None:
        moved = left.displacement.scaled() * np.float32(radians_a_metre)
        metres = Raster(
            moved, left.displacement.crs, left.displacement.transform, 1.0, left.displacement.name
        )
        if smooth is None:
            smooth, metres = metres, None
    if smooth is None:
        if left.wrapped is None:
            raise InputError("the program left neither a phase nor a motion")
        return phasor_on_grid(left.wrapped, grid), None
    turns = on_grid(smooth.scaled(), smooth, grid, "nearest")
    if metres is not None:
        _require_one_motion(turns, on_grid(metres.scaled(), metres, grid, "nearest"), left)
    if left.wrapped is None:
        return phasor_on_grid(smooth, grid), turns
    phase = phasor_on_grid(left.wrapped, grid)
    both = np.isfinite(phase) & np.isfinite(turns)
    rest = np.exp(1j * turns[both].astype(np.float64)) * np.exp(-1j * np.angle(phase[both]))
    agreement = abs(rest.mean()) if both.any() else 0.0
    if agreement < _LEAST_AGREEMENT:
        raise InputError(
            f"{left.wrapped.name} and {smooth.name} do not go together (agreement "
            f"{agreement:.2f} of 1): sign or unit of one of them is declared wrongly"
        )
    # The program may count them from different places.
    turns -= np.float32(np.angle(rest.mean()))
    return phase, turns


def _require_one_motion(turns: NDArray[np.float32], other: NDArray[np.float32], left: Left) -> None:
    """Hold the displacement against the unwrapped phase: sign and unit are declared of both."""
    both = np.isfinite(turns) & np.isfinite(other)
    if both.sum() < 100:
        return
    one, two = turns[both].astype(np.float64), other[both].astype(np.float64)
    one, two = one - one.mean(), two - two.mean()
    spread = float((one * one).sum())
    slope = float((one * two).sum()) / spread if spread > 0 else 1.0
    if not 0.9 < slope < 1.1:
        names = [one.name for one in (left.displacement, left.unwrapped) if one is not None]
        raise InputError(
            f"{' and '.join(names)} do not go together: as declared, the one is {slope:.3g} times "
            "the other (1 is expected); sign or unit of one of them is declared wrongly"
        )


def _require_place(left: Left, lookup: Lookup, inputs: Inputs) -> None:
    """Hold heights and incidence angles against ours: a map that lies elsewhere shows there."""
    if left.height is not None:
        found = on_grid(left.height.scaled(), left.height, lookup.grid, "bilinear")
        away = float(np.nanmedian(np.abs(found - lookup.height_m)))
        if not away <= _MOST_METRES:
            raise InputError(
                f"{left.height.name}: differs from the heights of the map by {away:.0f} m "
                "(median): it is of another place or datum"
            )
    if left.incidence is not None:
        found = on_grid(left.incidence.scaled(), left.incidence, lookup.grid, "bilinear")
        up = line_of_sight(lookup, inputs.layout, inputs.flown[0])[2]
        away = float(np.degrees(np.nanmedian(np.abs(found - np.arccos(up)))))
        if not away <= _MOST_DEGREES:
            raise InputError(
                f"{left.incidence.name}: differs from the map's incidence angles by {away:.1f} "
                "degrees (median): it is of another place, or its unit is declared wrongly"
            )


def _components(
    given: Raster | None, turns: NDArray[np.float32], inputs: Inputs
) -> NDArray[np.uint16]:
    """Give components numbers by size: the program's, or else pieces without a leap."""
    seen = np.isfinite(turns)
    if given is not None:
        numbers = on_grid(given.scaled(), given, inputs.grid, "nearest")
        marked = np.where(seen & np.isfinite(numbers), numbers, 0).astype(np.int64)
    else:
        marked = _pieces(turns, seen)
    values, counts = np.unique(marked[marked > 0], return_counts=True)
    by_size = values[np.argsort(-counts, kind="stable")][:65535]
    out = np.zeros(turns.shape, np.uint16)
    order = np.zeros(int(values.max(initial=0)) + 1, np.uint16)
    order[by_size] = np.arange(1, len(by_size) + 1)
    out[marked > 0] = order[marked[marked > 0]]
    return out


def _pieces(turns: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Label what hangs together without a leap of half a turn between neighbours."""
    calm = seen.copy()
    for axis in (0, 1):
        leap = np.abs(np.diff(turns, axis=axis)) > math.pi
        one = [slice(None)] * 2
        one[axis] = slice(None, -1)
        calm[tuple(one)] &= ~leap
    return np.asarray(label(calm)[0], np.int64)
