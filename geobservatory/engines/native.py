"""Our own engine: the recipe from two products to a judged map."""

import time
from collections.abc import Callable
from pathlib import Path

import numba

from geobservatory import __version__
from geobservatory.engines.inputs import Inputs, open_inputs
from geobservatory.engines.maps import make_maps, measure
from geobservatory.engines.outputs import write_outputs
from geobservatory.engines.radar import make_radar_maps
from geobservatory.engines.request import Progress, Request, Result
from geobservatory.engines.work import key_of, opened
from geobservatory.errors import GeobservatoryError
from geobservatory.insar.judge import judge

# Share of the time that each part takes, about.
_OPENED, _RADAR, _MAPS = 0.05, 0.75, 0.9


def make(request: Request, progress: Progress = lambda doing, share: None) -> Result:
    """Make an interferogram.

    What another run of the same request left unfinished in the folder is taken up.

    Parameters
    ----------
    progress
        Told what is being done and how much of the whole is finished.

    Raises
    ------
    InputError
        If the request cannot be met; before work starts wherever that can be known.
    GeobservatoryError
        If the folder cannot be written, or another process works there.
    TransientError
        If heights or orbits could not be fetched.
    """
    started = time.monotonic()
    before = numba.get_num_threads()
    if request.threads is not None:
        numba.set_num_threads(min(request.threads, before))
    try:
        return _make(request, started, progress)
    except OSError as error:
        raise GeobservatoryError(
            f"{request.out}: {error.strerror or error}; what was finished is kept there, "
            "and the same command goes on with it"
        ) from error
    finally:
        numba.set_num_threads(before)


def _make(request: Request, started: float, progress: Progress) -> Result:
    progress("opening", 0.0)
    with open_inputs(request) as inputs, opened(request.out, _key(inputs, request)) as work:
        radar = make_radar_maps(inputs, request, work, _part(progress, _OPENED, _RADAR))
        progress("geocoding", _RADAR)
        maps = make_maps(inputs, radar)
        quality = measure(maps, radar)
        verdict = judge(quality, request.spacing_m)
        seconds = time.monotonic() - started
        result = write_outputs(
            work.results, inputs, request, radar, maps, quality, verdict, seconds,
            _part(progress, _MAPS, 1.0),
        )  # fmt: skip
        work.publish()
    progress("done", 1.0)
    return result


def _part(progress: Progress, first: float, last: float) -> Callable[[str, float], None]:
    """Tell the progress of a part as that of the whole."""
    return lambda doing, share: progress(doing, first + (last - first) * share)


def _key(inputs: Inputs, request: Request) -> str:
    """Name what look cells depend on: another pixel, orbit, height or look, another name."""
    return key_of(
        {
            "version": __version__,
            "products": [_state(one) for one in (*request.reference, *request.secondary)],
            "orbits": [(one.orbit.source, one.file and _state(one.file)) for one in inputs.orbits],
            "heights": (inputs.dem.source, inputs.dem.bounds, inputs.dem.heights.shape),
            "polarisation": inputs.polarisation,
            "bursts": [str(tile.pair.identity) for tile in inputs.layout.tiles],
            "looks": inputs.layout.looks,
            "spectral diversity": request.spectral_diversity,
        }
    )


def _state(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path.resolve()), found.st_size, found.st_mtime_ns
