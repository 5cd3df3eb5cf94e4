"""The steps from two passes to a geocoded interferogram, each a graph for one run of `gpt`.

One graph for all would keep every tile of every step in memory and begin anew after a failure: so
there is one a swath to its interferogram, one that joins, looks down and filters, one that exports
to snaphu, one that takes snaphu's result in, and one to the map.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from geobservatory.engines.snap.graph import Graph
from geobservatory.engines.spans import Span

OrbitKind = Literal["POEORB", "RESORB"]
_ORBITS: dict[OrbitKind, str] = {
    "POEORB": "Sentinel Precise (Auto Download)",
    "RESORB": "Sentinel Restituted (Auto Download)",
}
# Value of cells without height in the file of heights; no height on Earth.
DEM_NODATA = -32768.0
# snaphu wants some hundred bytes a cell: a larger piece is cut into tiles.
_TILE_CELLS, _OVERLAP = 4000, 200
# Least window of the coherence, azimuth and range: fewer looks than 30 are biased.
_WINDOW = (3, 10)


@dataclass(frozen=True)
class Pass:
    """A pass: its slices in order of time (zip, or ``manifest.safe``), and its kind of orbit file.

    `orbit` is None where the products' own vectors are taken.
    """

    slices: tuple[Path, ...]
    orbit: OrbitKind | None


@dataclass(frozen=True)
class Plan:
    """What is to be made.

    Attributes
    ----------
    dem
        GeoTIFF of heights above EGM96, which is what SNAP takes an external DEM's heights for.
    looks
        Azimuth and range.
    crs, spacing_m
        Of the map.
    single_swath
        Whether the products hold one swath only, which newer versions have to be told.
    processors
        For snaphu.
    """

    reference: Pass
    secondary: Pass
    polarisation: str
    spans: tuple[Span, ...]
    dem: Path
    looks: tuple[int, int]
    crs: str
    spacing_m: float
    spectral_diversity: bool = True
    filtered: bool = True
    single_swath: bool = False
    processors: int = 1


def interferogram(plan: Plan, span: Span, out: Path) -> Graph:
    """Compose the interferogram of one swath: coregistered, flattened, its bursts joined."""
    graph = Graph()
    split = [
        _split(graph, plan, which, one, span.swath, bursts)
        for which, one, bursts in (
            ("reference", plan.reference, span.reference),
            ("secondary", plan.secondary, span.secondary),
        )
    ]
    last = graph.add(
        "Back-Geocoding",
        *split,
        demName="External DEM",
        externalDEMFile=str(plan.dem),
        externalDEMNoDataValue=DEM_NODATA,
        demResamplingMethod="BILINEAR_INTERPOLATION",
        resamplingType="BISINC_5_POINT_INTERPOLATION",
        maskOutAreaWithoutElevation=True,
    )
    if plan.spectral_diversity and span.bursts > 1:
        last = graph.add("Enhanced-Spectral-Diversity", last)
    last = graph.add(
        "Interferogram",
        last,
        subtractFlatEarthPhase=True,
        subtractTopographicPhase=True,
        demName="External DEM",
        externalDEMFile=str(plan.dem),
        externalDEMNoDataValue=DEM_NODATA,
        externalDEMApplyEGM=True,
        includeCoherence=True,
        squarePixel=False,
        cohWinAz=max(plan.looks[0], _WINDOW[0]),
        cohWinRg=max(plan.looks[1], _WINDOW[1]),
    )
    last = graph.add("TOPSAR-Deburst", last, selectedPolarisations=plan.polarisation)
    graph.add("Write", last, file=str(out), formatName="BEAM-DIMAP")
    return graph


def look_down(plan: Plan, swaths: Sequence[Path], out: Path) -> Graph:
    """Compose what joins the swaths, looks them down and filters."""
    graph = Graph()
    read = [
        graph.add("Read", name=str(number), file=str(path))
        for number, path in enumerate(swaths, start=1)
    ]
    last = read[0]
    if len(read) > 1:
        last = graph.add("TOPSAR-Merge", *read, selectedPolarisations=plan.polarisation)
    last = graph.add(
        "Multilook",
        last,
        nRgLooks=plan.looks[1],
        nAzLooks=plan.looks[0],
        outputIntensity=False,
        grSquarePixel=False,
    )
    if plan.filtered:
        last = graph.add(
            "GoldsteinPhaseFiltering", last, alpha=0.6, FFTSizeString="64", windowSizeString="3"
        )
    graph.add("Write", last, file=str(out), formatName="BEAM-DIMAP")
    return graph


def export(plan: Plan, looked: Path, folder: Path, rows: int, cols: int) -> Graph:
    """Compose the export to snaphu of a product of so many rows and columns."""
    graph = Graph()
    read = graph.add("Read", file=str(looked))
    down, across = -(-rows // _TILE_CELLS), -(-cols // _TILE_CELLS)
    graph.add(
        "SnaphuExport",
        read,
        targetFolder=str(folder),
        statCostMode="DEFO",
        initMethod="MCF",
        numberOfTileRows=down,
        numberOfTileCols=across,
        numberOfProcessors=plan.processors,
        rowOverlap=_OVERLAP if down > 1 else 0,
        colOverlap=_OVERLAP if across > 1 else 0,
    )
    return graph


def take_in(looked: Path, unwrapped: Path, out: Path) -> Graph:
    """Compose what takes snaphu's result in; `unwrapped` is its header (``.hdr``)."""
    graph = Graph()
    read = graph.add("Read", name="wrapped", file=str(looked))
    phase = graph.add("Read", name="unwrapped", file=str(unwrapped))
    last = graph.add("SnaphuImport", read, phase)
    graph.add("Write", last, file=str(out), formatName="BEAM-DIMAP")
    return graph


def to_map(
    plan: Plan, product: Path, smooth: Sequence[str], turns: str | None, folder: Path
) -> Graph:
    """Compose the way to the map.

    Parameters
    ----------
    smooth
        Bands that vary smoothly: the interferogram's two parts and the coherence. Its phase has
        jumps of a turn and is made of the two parts afterwards.
    turns
        Band of the unwrapped phase, which is brought by the nearest cell, so that no whole turns
        are mixed; None where there is none. Its displacement is brought along, by SNAP's own
        reckoning, which tells its sign.
    """
    graph = Graph()
    read = graph.add("Read", file=str(product))

    def corrected(source: str, name: str, bands: str, method: str) -> None:
        last = graph.add(
            "Terrain-Correction",
            source,
            name=name,
            sourceBands=bands,
            demName="External DEM",
            externalDEMFile=str(plan.dem),
            externalDEMNoDataValue=DEM_NODATA,
            externalDEMApplyEGM=True,
            demResamplingMethod="BILINEAR_INTERPOLATION",
            imgResamplingMethod=method,
            pixelSpacingInMeter=plan.spacing_m,
            mapProjection=plan.crs,
            alignToStandardGrid=True,
            standardGridOriginX=0,
            standardGridOriginY=0,
            nodataValueAtSea=False,
            outputComplex=name == "smooth",
        )
        path = folder / f"{name}.dim"
        graph.add("Write", last, name=name, file=str(path), formatName="BEAM-DIMAP")

    corrected(read, "smooth", ",".join(smooth), "BILINEAR_INTERPOLATION")
    if turns is not None:
        corrected(read, "turns", turns, "NEAREST_NEIGHBOUR")
        moved = graph.add("PhaseToDisplacement", read)
        corrected(moved, "displacement", "displacement", "NEAREST_NEIGHBOUR")
    return graph


def _split(
    graph: Graph, plan: Plan, which: str, one: Pass, swath: str, bursts: tuple[int, int]
) -> str:
    """Add what reads a pass, joins its slices, cuts out the bursts and gives them their orbit."""
    read = [
        graph.add("Read", name=f"{which}-{number}", file=str(path), formatName="SENTINEL-1")
        for number, path in enumerate(one.slices, start=1)
    ]
    last = read[0]
    if len(read) > 1:
        last = graph.add(
            "SliceAssembly", *read, name=which, selectedPolarisations=plan.polarisation
        )
    single = {"enableSingleSwathMode": True} if plan.single_swath else {}
    last = graph.add(
        "TOPSAR-Split",
        last,
        name=which,
        subswath=swath,
        selectedPolarisations=plan.polarisation,
        firstBurstIndex=bursts[0],
        lastBurstIndex=bursts[1],
        **single,
    )
    if one.orbit is not None:
        last = graph.add(
            "Apply-Orbit-File",
            last,
            name=which,
            orbitType=_ORBITS[one.orbit],
            polyDegree=3,
            continueOnFail=False,
        )
    return last
