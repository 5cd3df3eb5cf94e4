"""Stand-in for SNAP's operators: what they object to, and what they make, by the native engine."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from geobservatory.engines.snap.catalogue import operators
from geobservatory.engines.snap.graph import Node
from geobservatory.insar.goldstein import goldstein
from geobservatory.products.formats.dimap_writer import About, NewBand, write_dimap
from geobservatory.sentinel1.orbit_files import parse_orbit_name
from geobservatory.sentinel1.safe import open_product
from standins.snap_products import (
    Made,
    OperatorError,
    Source,
    Stack,
    interfere,
    joined,
    on_map,
    parts_of,
    read_dim,
    read_envi,
    write_envi,
)

WAVELENGTH_M = 0.05546576


@dataclass
class Machine:
    """Runs nodes one after the other."""

    user: Path
    version: str
    habit: str = ""
    made: dict[str, Any] = field(default_factory=dict)

    def work(self, node: Node) -> None:
        """Run a node.

        Raises
        ------
        OperatorError
            If it objects.
        """
        work: Callable[[Node, list[Any]], Any] = {
            "Read": self._read,
            "SliceAssembly": self._assemble,
            "TOPSAR-Split": self._split,
            "Apply-Orbit-File": self._orbit,
            "Back-Geocoding": self._coregister,
            "Enhanced-Spectral-Diversity": self._esd,
            "Interferogram": self._interferogram,
            "TOPSAR-Deburst": self._deburst,
            "TOPSAR-Merge": self._merge,
            "Multilook": self._multilook,
            "GoldsteinPhaseFiltering": self._filter,
            "SnaphuExport": self._export,
            "SnaphuImport": self._import,
            "PhaseToDisplacement": self._displacement,
            "Terrain-Correction": self._correct,
            "Write": self._write,
        }[node.operator]
        made = work(node, [self.made[one] for one in node.sources])
        if isinstance(made, Made):
            made.about = {**made.about, "history": [*made.about["history"], node.operator]}
        self.made[node.id] = made

    def _read(self, node: Node, sources: list[Any]) -> Any:
        path = Path(node.parameters["file"])
        if not path.exists():
            raise OperatorError(f"Specified 'file' [{path}] does not exist.")
        if path.suffix == ".dim":
            return read_dim(path)
        if path.suffix == ".hdr":
            return read_envi(path)
        if path.name == "manifest.safe":
            path = path.parent
        return Source([path])

    def _assemble(self, node: Node, sources: list[Source]) -> Source:
        return Source([path for one in sources for path in one.slices])

    def _split(self, node: Node, sources: list[Source]) -> Source:
        (source,), given = sources, node.parameters
        products = [open_product(path) for path in source.slices]
        swaths = {swath for one in products for swath, _ in one.channels}
        if len(swaths) == 1 and given.get("enableSingleSwathMode") != "true":
            raise OperatorError(operators()["TOPSAR-Split"].errors["swaths"])
        pol, swath = given["selectedPolarisations"], given["subswath"]
        count = sum(len(one.annotation(swath, pol).bursts) for one in products)
        first, last = int(given["firstBurstIndex"]), min(int(given["lastBurstIndex"]), count)
        return dataclasses.replace(source, swath=swath, polarisation=pol, bursts=(first, last))

    def _orbit(self, node: Node, sources: list[Source]) -> Source:
        (source,) = sources
        kind = "POEORB" if "Precise" in node.parameters["orbitType"] else "RESORB"
        name = open_product(source.slices[0]).name
        folder = self.user.joinpath(
            "auxdata", "Orbits", "Sentinel-1", kind, name.mission, f"{name.start.year}",
            f"{name.start.month:02d}",
        )  # fmt: skip
        for path in sorted(folder.glob("*.EOF.zip")):
            if parse_orbit_name(path.name).covers(name.start, name.stop):
                return dataclasses.replace(source, orbit=path)
        said = operators()["Apply-Orbit-File"].errors["missing"]
        raise OperatorError(said.format(time=f"{name.start:%d-%b-%Y %H:%M:%S}", folder=folder))

    def _coregister(self, node: Node, sources: list[Source]) -> Stack:
        one, other = sources
        said = operators()["Back-Geocoding"].errors
        if not one.swath or not other.swath:
            raise OperatorError(said["split"])
        if one.swath != other.swath:
            raise OperatorError(said["swath"])
        if one.polarisation != other.polarisation:
            raise OperatorError(said["polarisation"])
        return Stack(one, other, _heights(node))

    def _esd(self, node: Node, sources: list[Stack]) -> Stack:
        (stack,) = sources
        _require_bursts(stack, node)
        return dataclasses.replace(stack, shifted=True)

    def _interferogram(self, node: Node, sources: list[Stack]) -> Made:
        (stack,), given = sources, node.parameters
        if given.get("subtractTopographicPhase") != "true" or _heights(node) != stack.dem:
            raise OperatorError("this stand-in removes the topographic phase, by one DEM")
        window = int(given["cohWinAz"]), int(given["cohWinRg"])
        return interfere(stack, self.user, window)

    def _deburst(self, node: Node, sources: list[Made]) -> Made:
        (made,) = sources
        if made.about["bursts"] < operators()["TOPSAR-Deburst"].least_bursts:
            raise OperatorError("java.lang.ArrayIndexOutOfBoundsException: 1")
        return dataclasses.replace(made)

    def _merge(self, node: Node, sources: list[Made]) -> Made:
        said = operators()["TOPSAR-Merge"].errors
        ordered = sorted(sources, key=lambda one: one.about["swath"])
        numbers = [int(one.about["swath"][2:]) for one in ordered]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise OperatorError(said["gap"])
        if any("TOPSAR-Deburst" not in one.about["history"] for one in ordered):
            raise OperatorError("Source product should first be deburst")
        return joined(ordered)

    def _multilook(self, node: Node, sources: list[Made]) -> Made:
        (made,), given = sources, node.parameters
        down, across = int(given["nAzLooks"]), int(given["nRgLooks"])
        rows, cols = next(iter(made.bands.values()))[0].shape
        # Cells start where the native engine's do: at whole multiples from the common grid's start.
        rows, cols = rows // down, cols // across
        bands = {
            name: (
                values[: rows * down, : cols * across]
                .reshape(rows, down, cols, across)
                .mean((1, 3), dtype=np.float32),
                unit,
            )
            for name, (values, unit) in made.bands.items()
        }
        return Made(bands, {**made.about, "looks": [down, across]})

    def _filter(self, node: Node, sources: list[Made]) -> Made:
        (made,) = sources
        names = parts_of(made)
        real, imaginary, found = (made.bands[one][0] for one in names)
        phasor = (real + 1j * imaginary).astype(np.complex64)
        size = np.abs(phasor)
        unit = np.where(size > 0, phasor / np.maximum(size, 1e-30), 0).astype(np.complex64)
        smooth = goldstein(unit, found.astype(np.float32)) * size
        bands = dict(made.bands)
        bands[names[0]] = smooth.real.astype(np.float32), "real"
        bands[names[1]] = smooth.imag.astype(np.float32), "imaginary"
        return Made(bands, made.about)

    def _export(self, node: Node, sources: list[Made]) -> None:
        (made,), given = sources, node.parameters
        real, imaginary, found = parts_of(made)
        phase = np.arctan2(made.bands[imaginary][0], made.bands[real][0]).astype(np.float32)
        folder = Path(given["targetFolder"]) / "looked"
        folder.mkdir(parents=True, exist_ok=True)
        dates = real.removeprefix("i_ifg_")
        write_envi(folder / f"Phase_ifg_{dates}.snaphu", phase)
        write_envi(folder / f"{found}.snaphu", made.bands[found][0])
        write_envi(folder / f"UnwPhase_ifg_{dates}.snaphu", phase, image=False)
        (folder / "snaphu.conf").write_text(
            "# CONFIG FOR SNAPHU\n# Created by a stand-in\n#\n# Command to call snaphu:\n#\n"
            f"#       snaphu -f snaphu.conf Phase_ifg_{dates}.snaphu.img {phase.shape[1]}\n\n"
            f"STATCOSTMODE \t {given['statCostMode']}\nINITMETHOD \t {given['initMethod']}\n"
            f"VERBOSE \t TRUE\nCORRFILE \t {found}.snaphu.img\n"
            f"OUTFILE \t UnwPhase_ifg_{dates}.snaphu.img\nLOGFILE \t snaphu.log\n"
            "INFILEFORMAT \t FLOAT_DATA\nCORRFILEFORMAT \t FLOAT_DATA\n"
            "OUTFILEFORMAT \t FLOAT_DATA\nNCORRLOOKS \t 23.8\n"
            f"NTILEROW \t {given['numberOfTileRows']}\nNTILECOL \t {given['numberOfTileCols']}\n"
            f"ROWOVRLP \t {given['rowOverlap']}\nCOLOVRLP \t {given['colOverlap']}\n"
            f"NPROC \t {given['numberOfProcessors']}\nTILECOSTTHRESH \t 500\n"
        )

    def _import(self, node: Node, sources: list[Made]) -> Made:
        wrapped, unwrapped = sources
        said = operators()["SnaphuImport"].errors
        ((name, (turns, _)),) = unwrapped.bands.items()
        shape = wrapped.bands[parts_of(wrapped)[0]][0].shape
        if turns.shape[0] != shape[0]:
            raise OperatorError(said["height"])
        if turns.shape[1] != shape[1]:
            raise OperatorError(said["width"])
        if "unw" not in name.lower():
            raise OperatorError(said["phase"])
        dates = parts_of(wrapped)[0].split("_")[-2:]
        return Made(
            {**wrapped.bands, f"Unw_Phase_ifg_{'_'.join(dates)}": (turns, "abs_phase")},
            wrapped.about,
        )

    def _displacement(self, node: Node, sources: list[Made]) -> Made:
        (made,) = sources
        for name, (turns, _) in made.bands.items():
            if name.lower().startswith("unw"):
                sign = 1 if self.habit == "positive" else -1
                moved = np.float32(sign * WAVELENGTH_M / (4 * np.pi)) * turns
                return Made({"displacement": (moved, "meters")}, made.about)
        raise OperatorError(operators()["PhaseToDisplacement"].errors["phase"])

    def _correct(self, node: Node, sources: list[Made]) -> Made:
        (made,), given = sources, node.parameters
        return on_map(made, given, self.user)

    def _write(self, node: Node, sources: list[Made]) -> None:
        (made,) = sources
        start = datetime.fromisoformat(made.about["start"])
        bands = [
            NewBand(name, np.nan_to_num(values.astype(np.float32)), unit)
            for name, (values, unit) in made.bands.items()
        ]
        metadata = {"PRODUCT": "stand-in", "standin": json.dumps(made.about)}
        about = About("SLC", "made by a stand-in for SNAP", start, start, metadata)
        write_dimap(Path(node.parameters["file"]), bands, made.place, about)


def _heights(node: Node) -> Path:
    given = node.parameters
    if given.get("demName") != "External DEM" or not given.get("externalDEMFile"):
        raise OperatorError(f"java.net.UnknownHostException: no DEM {given.get('demName')} here")
    path = Path(given["externalDEMFile"])
    if not path.is_file():
        raise OperatorError(f"DEM file '{path}' does not exist")
    return path


def _require_bursts(stack: Stack, node: Node) -> None:
    first, last = stack.reference.bursts
    if last - first + 1 < operators()[node.operator].least_bursts:
        raise OperatorError("java.lang.IllegalArgumentException: no burst overlap")
