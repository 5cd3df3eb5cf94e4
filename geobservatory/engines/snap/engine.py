"""The engine `snap`: ESA SNAP by its graphs, and snaphu."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geobservatory.engines.engine import Availability, Missing
from geobservatory.engines.foreign import Done, Job, make_by
from geobservatory.engines.inputs import Inputs
from geobservatory.engines.kept import without_places
from geobservatory.engines.left import Left
from geobservatory.engines.request import Progress, Request, Result
from geobservatory.engines.snap import steps
from geobservatory.engines.snap.auxiliary import geoid_to_fetch, lay_out_user_dir, write_dem
from geobservatory.engines.snap.catalogue import versions
from geobservatory.engines.snap.gpt import Gpt, find_gpt
from geobservatory.engines.snap.graph import Graph
from geobservatory.engines.snap.results import interferogram_bands, read_left, unwrapped_band
from geobservatory.engines.snap.snaphu import find_snaphu, unwrap_export, version_of
from geobservatory.engines.spans import spans
from geobservatory.errors import ConfigurationError, InputError
from geobservatory.products.formats.dimap import read_dimap
from geobservatory.program import ProgramError
from geobservatory.sentinel1.safe import SafeProduct
from geobservatory.settings.snap import Snap

_DOWNLOAD = "https://step.esa.int/main/download/snap-download/"
# Bytes a pixel of the swaths' interferograms takes on disk: three bands of four bytes, and the same
# once more while they are joined.
_PIXEL_BYTES = 24
# Share of the time that each part takes, about.
_SWATHS, _LOOKED, _UNWRAPPED = 0.6, 0.75, 0.9


@dataclass(frozen=True)
class SnapEngine:
    """ESA SNAP, with the settings it runs by."""

    settings: Snap

    name = "snap"

    def availability(self) -> Availability:
        """Look for gpt and snaphu, and ask gpt for its version."""
        missing, notes, version = [], [], None
        try:
            gpt = find_gpt(self.settings)
            version = gpt.version
            notes.append(
                f"{gpt.program}, {gpt.heap_gb:.1f} GB of memory, {gpt.cache_gb:.1f} GB of them "
                "for tiles"
            )
            if version.split(".")[0] not in versions():
                notes.append(
                    f"version {version} is none of those its graphs were written for "
                    f"({', '.join(versions())})"
                )
            if (geoid := geoid_to_fetch(self.settings.auxdata)) is not None:
                notes.append(geoid)
        except (ConfigurationError, ProgramError) as error:
            remedy = f"{error}; install SNAP with its Sentinel-1 Toolbox ({_DOWNLOAD}), and name "
            missing.append(Missing("SNAP", f"{remedy}its bin/gpt in engine.snap.gpt"))
        try:
            snaphu = find_snaphu(self.settings)
            notes.append(f"{snaphu}, version {version_of(snaphu)}")
        except (ConfigurationError, ProgramError) as error:
            missing.append(Missing("snaphu", f"{error}; `pip install geobservatory[snaphu]`"))
        return Availability(version, tuple(missing), tuple(notes))

    def fingerprint(self) -> Mapping[str, Any]:
        """Name, version of SNAP, version of snaphu; memory and time change nothing."""
        version = find_gpt(self.settings).version
        snaphu = version_of(find_snaphu(self.settings))
        return {"name": self.name, "version": version, "snaphu": snaphu}

    def make(self, request: Request, progress: Progress) -> Result:
        """Make an interferogram; swaths that a broken run finished are not made again."""
        return make_by(self, request, progress, lambda job: _Run(self.settings, job).done())


class _Run:
    """One interferogram on its way through SNAP."""

    def __init__(self, settings: Snap, job: Job) -> None:
        self._settings, self._job = settings, job
        self._gpt: Gpt = find_gpt(settings)
        self._log = job.folder / "snap.log"
        self._user = job.folder / "user"
        self._graphs: list[Path] = []
        self._snaphu: dict[str, str] = {}

    def done(self) -> Done:
        job, folder = self._job, self._job.folder
        plan = self._plan()
        swaths = []
        for number, span in enumerate(plan.spans):
            path = folder / f"{span.swath}.dim"
            graph = steps.interferogram(plan, span, path)
            share = _SWATHS / len(plan.spans)
            self._step(graph, f"interferogram of {span.swath}", number * share, share)
            swaths.append(path)
        looked = folder / "looked.dim"
        self._step(
            steps.look_down(plan, swaths, looked), "looks and filter", _SWATHS, _LOOKED - _SWATHS
        )
        product, turns = looked, None
        smooth = interferogram_bands(read_dimap(looked))
        if job.request.unwrapped:
            product = self._unwrapped(plan, looked)
            turns = unwrapped_band(read_dimap(product))
        mapped = folder / "map"
        mapped.mkdir(exist_ok=True)
        self._step(
            steps.to_map(plan, product, smooth, turns, mapped), "geocoding", _UNWRAPPED,
            1 - _UNWRAPPED,
        )  # fmt: skip
        return Done(
            self._left(mapped, turns is not None),
            software={"SNAP": self._gpt.version, **self._snaphu},
            parameters={
                "filter": "GoldsteinPhaseFiltering" if plan.filtered else None,
                "spectral_diversity": plan.spectral_diversity,
                "orbits": [plan.reference.orbit, plan.secondary.orbit],
                "graphs": [path.name for path in self._graphs],
            },
            kept=self._kept(),
        )

    def _left(self, mapped: Path, unwrapped: bool) -> Left:
        """Read the result; what cannot be read is made again by the next run."""
        try:
            return read_left(mapped, unwrapped)
        except InputError:
            self._graphs[-1].with_suffix(".done").unlink()
            raise

    def _kept(self) -> tuple[Path, ...]:
        """Give graphs and log as they stay with the map."""
        job, folder = self._job, self._job.folder / "kept"
        folder.mkdir(exist_ok=True)
        products = (*job.inputs.reference, *job.inputs.secondary)
        places = {
            str(job.folder): "WORK",
            str(self._gpt.program): "gpt",
            **{f"{one.path.resolve().parent}/": "" for one in products},
        }
        return tuple(
            without_places(path, places, folder / path.name) for path in (*self._graphs, self._log)
        )

    def _plan(self) -> steps.Plan:
        """Say what is to be done, and lay out what SNAP needs for it."""
        job = self._job
        inputs, request = job.inputs, job.request
        found = spans(inputs, least=2)
        names = [int(one.swath[2:]) for one in found]
        if names != list(range(names[0], names[0] + len(names))):
            raise InputError(
                f"swaths {', '.join(one.swath for one in found)} do not lie beside each other; "
                "SNAP joins those that do: ask for other swaths or another area"
            )
        _require_room(job.folder, inputs)
        kinds = lay_out_user_dir(
            self._user,
            self._settings.auxdata,
            [
                (chosen, slices[0].name.start)
                for chosen, slices in zip(
                    inputs.orbits, (inputs.reference, inputs.secondary), strict=True
                )
            ],
        )
        dem = job.folder / "dem-egm96.tif"
        if not dem.is_file():
            job.progress("heights for SNAP", 0.0)
            write_dem(inputs, request, dem)
        every = {swath for one in (*inputs.reference, *inputs.secondary) for swath in _swaths(one)}
        return steps.Plan(
            reference=steps.Pass(tuple(_readable(one) for one in inputs.reference), kinds[0]),
            secondary=steps.Pass(tuple(_readable(one) for one in inputs.secondary), kinds[1]),
            polarisation=inputs.polarisation,
            spans=found,
            dem=dem,
            looks=inputs.layout.looks,
            crs=inputs.grid.crs,
            spacing_m=inputs.grid.step,
            spectral_diversity=request.spectral_diversity,
            filtered=request.filtered,
            single_swath=len(every) == 1,
            processors=request.threads or os.cpu_count() or 1,
        )

    def _unwrapped(self, plan: steps.Plan, looked: Path) -> Path:
        """Have snaphu unwrap, and give the product that has its phase."""
        folder = self._job.folder
        rows, cols = read_dimap(looked).bands[interferogram_bands(read_dimap(looked))[2]].shape
        out, exported = folder / "unwrapped.dim", folder / "snaphu"
        span = _UNWRAPPED - _LOOKED
        self._step(
            steps.export(plan, looked, exported, rows, cols),
            "export to snaphu",
            _LOOKED,
            0.1 * span,
        )
        mark, program = folder / "snaphu.done", find_snaphu(self._settings)
        self._snaphu = {"snaphu": version_of(program)}
        if not mark.is_file():
            self._job.progress("unwrapping", _LOOKED + 0.1 * span)
            header = unwrap_export(program, exported, self._log, self._gpt.limit_s)
            mark.write_text(str(header.relative_to(folder)))
        header = folder / mark.read_text()
        self._step(
            steps.take_in(looked, header, out), "import from snaphu", _LOOKED + 0.9 * span,
            0.1 * span,
        )  # fmt: skip
        return out

    def _step(self, graph: Graph, doing: str, first: float, share: float) -> None:
        """Run a graph unless a run before had finished it: its product and a mark are there."""
        job = self._job
        path = job.folder / f"snap-{len(self._graphs) + 1}-{doing.replace(' ', '-')}.xml"
        self._graphs.append(path)
        mark = path.with_suffix(".done")
        if mark.is_file() and all(one.is_file() for one in graph.outputs):
            return
        job.progress(doing, first)
        self._gpt.work(
            graph, path, self._user, self._log, job.request.threads,
            lambda done: job.progress(doing, first + share * done),
        )  # fmt: skip
        mark.touch()


def _readable(product: SafeProduct) -> Path:
    """Name a product as SNAP reads it: a zip, or the manifest of a folder."""
    path = product.path.resolve()
    return path / "manifest.safe" if path.is_dir() else path


def _swaths(product: SafeProduct) -> set[str]:
    return {swath for swath, _ in product.channels}


def _require_room(folder: Path, inputs: Inputs) -> None:
    """Refuse to start what the disk cannot hold: SNAP writes its interferograms in full."""
    pixels = 0
    for tile in inputs.layout.tiles:
        pixels += tile.pair.reference.lines_per_burst * tile.pair.reference.samples_per_burst
    needed, free = pixels * _PIXEL_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{folder}: {free / 1e9:.1f} GB are free, SNAP needs {needed / 1e9:.1f} GB for its "
            "interferograms"
        )
