"""Our own engine: the recipe from two products to a judged map."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numba

from geobservatory import __version__
from geobservatory.engines.engine import Availability, Missing
from geobservatory.engines.inputs import Inputs, open_inputs
from geobservatory.engines.maps import bring, make_maps, measure
from geobservatory.engines.outputs import Account, write_outputs
from geobservatory.engines.radar import RadarMaps, make_radar_maps
from geobservatory.engines.request import Progress, Request, Result, part_of
from geobservatory.engines.work import key_of, opened, whatever_fails_is_told
from geobservatory.errors import InputError
from geobservatory.insar.judge import judge
from geobservatory.insar.unwrap import version_of

# Share of the time that each part takes, about.
_OPENED, _RADAR, _MAPS = 0.05, 0.75, 0.9


@dataclass(frozen=True)
class Native:
    """Our own engine, as one of those behind the flow."""

    unwrapper: Literal["whirlwind", "snaphu"] = "whirlwind"

    name = "native"

    def availability(self) -> Availability:
        """All of it is here, but for SNAPHU where that is to unwrap."""
        try:
            version_of(self.unwrapper)
        except InputError as error:
            return Availability(__version__, (Missing(self.unwrapper, str(error)),))
        return Availability(__version__)

    def fingerprint(self) -> Mapping[str, Any]:
        """Name, version and unwrapper."""
        return {"name": self.name, "version": __version__, "unwrapper": self.unwrapper}

    def make(self, request: Request, progress: Progress) -> Result:
        """Make an interferogram; see `make`."""
        return make(request, progress)


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
        with whatever_fails_is_told(request.out):
            return _make(request, started, progress)
    finally:
        numba.set_num_threads(before)


def _make(request: Request, started: float, progress: Progress) -> Result:
    progress("opening", 0.0)
    with open_inputs(request) as inputs, opened(request.out, _key(inputs, request)) as work:
        radar = make_radar_maps(inputs, request, work, part_of(progress, _OPENED, _RADAR))
        progress("geocoding", _RADAR)
        maps = make_maps(bring(inputs, radar), inputs.pair.reference.wavelength_m, radar.looks)
        quality = measure(maps, radar.registration, radar.shift, radar.seams)
        verdict = judge(quality, request.spacing_m)
        account = _account(request, radar, time.monotonic() - started)
        result = write_outputs(
            work.results, inputs, request, maps, account, quality, verdict,
            part_of(progress, _MAPS, 1.0),
        )  # fmt: skip
        work.publish()
    progress("done", 1.0)
    return result


def _account(request: Request, radar: RadarMaps, seconds: float) -> Account:
    return Account(
        engine="native",
        looks=radar.looks,
        parameters={
            "filter": "goldstein" if request.filtered else None,
            "unwrapper": radar.unwrapped and f"{radar.unwrapped.method} {radar.unwrapped.version}",
            "spectral_diversity": request.spectral_diversity,
            "offset_applied": asdict(radar.offset),
        },
        software={},
        seconds=seconds,
    )


def _key(inputs: Inputs, request: Request) -> str:
    """Name what look cells depend on: another pixel, orbit, height or look, another name."""
    return key_of(
        {
            **inputs.facts(),
            "version": __version__,
            "spectral diversity": request.spectral_diversity,
        }
    )
