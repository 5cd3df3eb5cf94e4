"""The engine `gamma`: the commands of GAMMA Remote Sensing's software."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geobservatory.engines import left
from geobservatory.engines.engine import Availability, Missing
from geobservatory.engines.foreign import Done, Job, make_by
from geobservatory.engines.gamma import sequence
from geobservatory.engines.gamma.catalogue import commands
from geobservatory.engines.gamma.lay_out import lay_out_orbit, lay_out_swath, write_heights
from geobservatory.engines.gamma.shell import Shell, find_command, find_home, version_of
from geobservatory.engines.kept import without_places
from geobservatory.engines.request import Progress, Request, Result
from geobservatory.engines.spans import Span, spans
from geobservatory.errors import ConfigurationError, InputError
from geobservatory.products.formats.gamma import Parameters, read_georeference, read_raster
from geobservatory.sentinel1.orbit_files import ChosenOrbit
from geobservatory.sentinel1.safe import SafeProduct
from geobservatory.settings.gamma import Gamma

_HOMEPAGE = "https://www.gamma-rs.ch"
_METRES_A_DEGREE = 111_195.0


@dataclass(frozen=True)
class GammaEngine:
    """GAMMA, with the settings it runs by."""

    settings: Gamma

    name = "gamma"

    def availability(self) -> Availability:
        """Look for every command that the sequence uses."""
        try:
            home = find_home(self.settings)
        except ConfigurationError as error:
            remedy = f"{error}; GAMMA is licensed software ({_HOMEPAGE}): name its folder"
            return Availability(None, (Missing("GAMMA", remedy),))
        missing = []
        for name, known in commands().items():
            if name != known.name or name == "S1_coreg_TOPS":
                continue
            try:
                find_command(home, name)
            except ConfigurationError as error:
                missing.append(Missing(name, str(error)))
        return Availability(version_of(home), tuple(missing), (str(home),))

    def fingerprint(self) -> Mapping[str, Any]:
        """Name and release."""
        return {"name": self.name, "version": version_of(find_home(self.settings))}

    def make(self, request: Request, progress: Progress) -> Result:
        """Make an interferogram; commands that a broken run finished are not run again."""
        return make_by(self, request, progress, self._work)

    def _work(self, job: Job) -> Done:
        folder = job.folder
        log, script = folder / "gamma.log", folder / "gamma-commands.sh"
        (folder / "told").mkdir(exist_ok=True)
        plan = _plan(job)
        shell = Shell(self.settings, folder, log, script)
        made = sequence.work(plan, shell, folder, job.progress)
        home = find_home(self.settings)
        places = {str(folder): "WORK", str(home): "$GAMMA_HOME"}
        kept = [
            without_places(folder / name, places, folder / f"gamma-{name}")
            for name in made.parameters
        ]
        try:
            found = _read(folder, made)
        except InputError:
            # What cannot be read is made again by the next run.
            shell.forget("geocode_back")
            raise
        return Done(
            found,
            software={"GAMMA": version_of(home) or "unknown"},
            parameters={
                "filter": "adf" if plan.filtered else None,
                "coregistration": "ScanSAR_coreg.py or S1_coreg_TOPS",
                "orbits": [plan.reference.orbit, plan.secondary.orbit],
            },
            kept=(script, without_places(log, places, folder / "told" / log.name), *kept),
        )


def _plan(job: Job) -> sequence.Plan:
    """Lay out what GAMMA reads, and say what is to be done."""
    inputs, request, folder = job.inputs, job.request, job.folder
    found = spans(inputs)
    job.progress("unpacking for GAMMA", 0.0)
    passes = [
        _pass(slices, chosen, found, inputs.polarisation, folder)
        for slices, chosen in zip((inputs.reference, inputs.secondary), inputs.orbits, strict=True)
    ]
    if not (folder / "heights.par").is_file():
        write_heights(inputs.dem, folder / "heights", folder / "heights.par")
    return sequence.Plan(
        reference=passes[0],
        secondary=passes[1],
        spans=found,
        dem="heights",
        looks=inputs.layout.looks,
        # Cells of the map of about the spacing asked for, never coarser than the heights.
        oversampling=max(1.0, abs(inputs.dem.latitude_step) * _METRES_A_DEGREE / request.spacing_m),
        filtered=request.filtered,
        unwrapped=request.unwrapped,
    )


def _pass(
    slices: Sequence[SafeProduct],
    chosen: ChosenOrbit,
    found: Sequence[Span],
    polarisation: str,
    folder: Path,
) -> sequence.Pass:
    date = f"{slices[0].name.start:%Y%m%d}"
    laid = []
    for number, product in enumerate(slices, start=1):
        files = {}
        for span in found:
            here = folder / "inputs" / f"{date}-{number}"
            image, annotation = lay_out_swath(product, span.swath, polarisation, here)
            files[span.swath] = str(image.relative_to(folder)), str(annotation.relative_to(folder))
        laid.append(files)
    orbit = None
    if chosen.file is not None:
        orbit = str(lay_out_orbit(chosen.file, folder / "inputs").relative_to(folder))
    return sequence.Pass(date, tuple(laid), orbit)


def _read(folder: Path, made: sequence.Left) -> left.Left:
    """Read what the sequence left; zero is nothing to GAMMA."""
    parameters = Parameters.read(folder / made.place)
    place = read_georeference(parameters)

    def raster(name: str, kind: str, scale: float = 1.0, root: bool = False) -> left.Raster:
        values = read_raster(folder / name, parameters, kind)
        values[values == 0] = np.nan
        if root:
            values = np.sqrt(values)
        return left.Raster(values, place.crs, place.transform, scale, name)

    radian = left.scale_of("phase", "radian", "away")
    return left.Left(
        wrapped=raster(made.phase, "FCOMPLEX", radian),
        unwrapped=None if made.unwrapped is None else raster(made.unwrapped, "FLOAT", radian),
        coherence=raster(made.coherence, "FLOAT"),
        amplitude=raster(made.power, "FLOAT", root=True),
        height=raster(made.heights, "FLOAT"),
    )
