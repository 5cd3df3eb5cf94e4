"""The sequence of GAMMA's commands from two passes to a geocoded, unwrapped interferogram.

Geocoding follows the orbits alone: with precise ones they place an image to a few metres, so that
the lookup table is not refined against a simulated image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geobservatory.engines.gamma.catalogue import NONE
from geobservatory.engines.gamma.lay_out import write_bursts, write_tab
from geobservatory.engines.gamma.shell import Shell
from geobservatory.engines.request import Progress
from geobservatory.engines.spans import Span
from geobservatory.products.formats.gamma import Parameters

# dtype of the imported images: two 16-bit integers a pixel, half the room of two floats.
_SCOMPLEX = 1
# dtype of geocode and geocode_back.
_FLOAT, _FCOMPLEX = 0, 1
# Coherence below which nothing is unwrapped, and the window it is estimated in, look cells.
_LEAST_COHERENCE, _WINDOW = 0.2, 3
_FILTER, _FFT = 0.6, 32


@dataclass(frozen=True)
class Pass:
    """A pass: its date, and for each slice and swath the image and its annotation.

    Files are named as they lie in the folder of the work.
    """

    date: str
    slices: tuple[dict[str, tuple[str, str]], ...]
    orbit: str | None


@dataclass(frozen=True)
class Plan:
    """What is to be made; looks are azimuth and range, `oversampling` of heights to the map."""

    reference: Pass
    secondary: Pass
    spans: tuple[Span, ...]
    dem: str
    looks: tuple[int, int]
    oversampling: float
    filtered: bool
    unwrapped: bool


@dataclass(frozen=True)
class Left:
    """Files of the result, on the map that `place` describes; None where there is none."""

    place: str
    phase: str
    coherence: str
    power: str
    heights: str
    unwrapped: str | None
    parameters: tuple[str, ...]


def work(plan: Plan, shell: Shell, folder: Path, told: Progress) -> Left:
    """Run the sequence."""
    one, other = plan.reference.date, plan.secondary.date
    told("import", 0.0)
    for which, bursts in (
        (plan.reference, [span.reference for span in plan.spans]),
        (plan.secondary, [span.secondary for span in plan.spans]),
    ):
        _import(plan, which, bursts, shell, folder)
    told("heights in radar geometry", 0.25)
    place = _lookup(plan, shell, folder)
    told("coregistration", 0.35)
    _coregister(plan, shell, folder)
    told("interferogram", 0.7)
    width = _width(folder / f"{one}.rmli.par")
    diff = _interferogram(plan, shell, width)
    unwrapped = None
    if plan.unwrapped:
        told("unwrapping", 0.8)
        shell(
            "rascc_mask", "pair.cc", f"{one}.rmli", width, NONE, NONE, NONE, NONE, NONE,
            _LEAST_COHERENCE, NONE, NONE, NONE, NONE, NONE, NONE, "pair.mask.bmp",
        )  # fmt: skip
        shell("mcf", diff, "pair.cc", "pair.mask.bmp", "pair.unw", width, 1)
        unwrapped = "pair.unw"
    told("geocoding", 0.9)
    across = int(Parameters.read(folder / place).number("width"))

    def geocoded(name: str, how: int, kind: int) -> str:
        shell("geocode_back", name, width, "map.lt", f"{name}.geo", across, NONE, how, kind)
        return f"{name}.geo"

    return Left(
        place,
        geocoded(diff, 1, _FCOMPLEX),
        geocoded("pair.cc", 1, _FLOAT),
        geocoded(f"{one}.rmli", 0, _FLOAT),
        "map.dem",
        # The nearest cell: between two of them whole turns would be mixed.
        None if unwrapped is None else geocoded(unwrapped, 0, _FLOAT),
        (place, f"{one}.rslc.par", f"{other}.rslc.par", "pair.off"),
    )


def _import(
    plan: Plan, which: Pass, bursts: Sequence[tuple[int, int]], shell: Shell, folder: Path
) -> None:
    """Import a pass: images, orbit, slices joined, the bursts that are wanted cut out."""
    date, swaths = which.date, [span.swath for span in plan.spans]
    tabs = []
    for number, files in enumerate(which.slices, start=1):
        stems = []
        for swath in swaths:
            image, annotation = files[swath]
            stem = f"{date}-{number}.{swath.lower()}.slc"
            # Digital numbers as they are: phase needs no calibration.
            shell(
                "par_S1_SLC", image, annotation, NONE, NONE, f"{stem}.par", stem,
                f"{stem}.tops_par", _SCOMPLEX,
            )  # fmt: skip
            if which.orbit is not None:
                shell("S1_OPOD_vec", f"{stem}.par", which.orbit)
            stems.append(stem)
        tabs.append(f"{date}-{number}.SLC_tab")
        write_tab(folder / tabs[-1], stems)
    joined = tabs[0]
    for number, tab in enumerate(tabs[1:], start=2):
        out = f"{date}-joined-{number}.SLC_tab"
        write_tab(folder / out, [f"{date}-joined-{number}.{swath.lower()}.slc" for swath in swaths])
        shell("SLC_cat_ScanSAR", joined, tab, out)
        joined = out
    write_tab(folder / f"{date}.SLC_tab", [f"{date}.{swath.lower()}.slc" for swath in swaths])
    write_bursts(folder / f"{date}.BURST_tab", bursts)
    shell("SLC_copy_ScanSAR", joined, f"{date}.SLC_tab", f"{date}.BURST_tab")


def _lookup(plan: Plan, shell: Shell, folder: Path) -> str:
    """Find where the map lies in the reference, and the heights in radar geometry."""
    date, (azimuth, across) = plan.reference.date, plan.looks
    shell(
        "SLC_mosaic_ScanSAR", f"{date}.SLC_tab", f"{date}.slc", f"{date}.slc.par", across, azimuth
    )
    shell(
        "multi_look", f"{date}.slc", f"{date}.slc.par", f"{date}.mli", f"{date}.mli.par", across,
        azimuth,
    )  # fmt: skip
    shell(
        "gc_map2", f"{date}.mli.par", f"{plan.dem}.par", plan.dem, "map.dem.par", "map.dem",
        "map.lt", f"{plan.oversampling:.4f}", f"{plan.oversampling:.4f}",
    )  # fmt: skip
    place, image = (
        Parameters.read(folder / "map.dem.par"), Parameters.read(folder / f"{date}.mli.par")
    )  # fmt: skip
    shell(
        "geocode", "map.lt", "map.dem", int(place.number("width")), "pair.hgt",
        int(image.number("range_samples")), int(image.number("azimuth_lines")), 2, _FLOAT,
    )  # fmt: skip
    return "map.dem.par"


def _coregister(plan: Plan, shell: Shell, folder: Path) -> None:
    """Bring the secondary onto the reference: by orbits and heights, matching, overlaps."""
    one, other = plan.reference.date, plan.secondary.date
    write_tab(
        folder / f"{other}.RSLC_tab", [f"{other}.{span.swath.lower()}.rslc" for span in plan.spans]
    )
    shell(
        "ScanSAR_coreg.py", f"{one}.SLC_tab", one, f"{other}.SLC_tab", other,
        f"{other}.RSLC_tab", "pair.hgt", plan.looks[1], plan.looks[0],
    )  # fmt: skip


def _interferogram(plan: Plan, shell: Shell, width: int) -> str:
    """Make the interferogram, its coherence, and filter it; name the file to go on with."""
    one, other = plan.reference.date, plan.secondary.date
    azimuth, across = plan.looks
    pars = f"{one}.rslc.par", f"{other}.rslc.par"
    shell("create_offset", *pars, "pair.off", 1, across, azimuth, 0)
    shell("phase_sim_orb", *pars, "pair.off", "pair.hgt", "pair.sim_unw", pars[0], NONE, NONE, 1, 1)
    # Neither spectral shift nor common band: the images share both, and TOPS has a band of its own
    # at every line.
    shell(
        "SLC_diff_intf", f"{one}.rslc", f"{other}.rslc", *pars, "pair.off", "pair.sim_unw",
        "pair.diff", across, azimuth, 0, 0, 0.2, 1, 1,
    )  # fmt: skip
    shell(
        "cc_wave", "pair.diff", f"{one}.rmli", f"{other}.rmli", "pair.cc", width, _WINDOW, _WINDOW
    )
    if not plan.filtered:
        return "pair.diff"
    shell("adf", "pair.diff", "pair.diff_sm", "pair.cc_sm", width, _FILTER, _FFT)
    return "pair.diff_sm"


def _width(path: Path) -> int:
    return int(Parameters.read(path).number("range_samples"))
