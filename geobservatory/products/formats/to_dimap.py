"""A map as BEAM-DIMAP, which SNAP opens: one product with the layers as bands.

Signs
-----
SNAP's interferogram is reference · conj(secondary) and its `PhaseToDisplacement` computes
−λ/4π · unwrapped phase (`PhaseToDisplacementOp.computeTileStack`): phase grows away from the
satellite, displacement is positive toward it. With the earlier image as reference that is our own
convention, and nothing is turned. Bands are named and measured as SNAP's operators do it, which
find them by the start of their names: ``Phase_ifg_…``, ``Unw_Phase_ifg_…``, ``coh_…``. The sign of
its ``Perp Baseline`` has not been compared with ours, which is written.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geobservatory import __version__
from geobservatory.products.formats.dimap_writer import (
    About,
    Metadata,
    NewBand,
    snap_date,
    write_dimap,
)
from geobservatory.products.formats.georeference import Georeference
from geobservatory.products.formats.made_map import MadeMap

# Our layer; SNAP's name, with what it puts behind it; its unit.
_BANDS = (
    ("wrapped_phase", "Phase_ifg_{pol}_{pair}", "phase"),
    ("unwrapped_phase", "Unw_Phase_ifg_{pol}_{pair}", "abs_phase"),
    ("coherence", "coh_{pol}_{pair}", "coherence"),
    ("amplitude", "Amplitude_{pol}_{first}", "amplitude"),
    ("los_displacement", "displacement", "meters"),
    ("los_sigma", "displacement_sigma", "meters"),
    ("los_east", "los_east", ""),
    ("los_north", "los_north", ""),
    ("los_up", "los_up", ""),
    ("incidence_angle", "incidenceAngleFromEllipsoid", "deg"),
    ("height", "elevation", "meters"),
    ("connected_components", "connected_components", ""),
    ("mask", "mask_bits", ""),
)
_OPTIONAL = ("unwrapped_phase", "los_displacement", "connected_components")


def write(made: MadeMap, folder: Path) -> list[Path]:
    """Write a map into a folder.

    Raises
    ------
    InputError
        If a layer is missing or damaged.
    OSError
        If the folder cannot be written.
    """
    # MintPy and others read the dates, and what it is, from such a name.
    kind = "unw" if made.unwrapped else "ifg"
    path = folder / f"{'_'.join(made.dates)}_{kind}_tc.dim"
    lineage = made.about["processing:lineage"]
    about = About("InSAR", lineage, *made.span("reference"), _metadata(made))
    return write_dimap(path, _bands(made), Georeference.of(made.grid), about)


def _bands(made: MadeMap) -> Iterator[NewBand]:
    first, second = (snap_date(one) for one in made.times)
    words = {"pol": _polarisation(made), "pair": f"{first}_{second}", "first": first}
    for layer, name, unit in _BANDS:
        if layer in _OPTIONAL and not made.unwrapped:
            continue
        asset = made.item["assets"][f"{layer}.tif"]
        yield NewBand(name.format(**words), made.layer(layer), unit, asset["description"])


def _polarisation(made: MadeMap) -> str:
    return str(made.about["sar:polarizations"][0])


def _metadata(made: MadeMap) -> Metadata:
    """Fill SNAP's abstracted metadata with what is known of a map."""
    about = made.about
    reference: Any = about["geobs:reference"]
    first, second = (snap_date(one) for one in made.times)
    begin, end = made.span("reference")
    baseline = float(about["geobs:perpendicular_baseline_m"])
    return {
        "PRODUCT": reference["products"][0],
        "PRODUCT_TYPE": "InSAR",
        "SPH_DESCRIPTOR": "Differential interferogram, geocoded",
        "MISSION": f"SENTINEL-1{reference['mission'][-1]}",
        "ACQUISITION_MODE": "IW",
        "antenna_pointing": "right",
        "PROCESSING_SYSTEM_IDENTIFIER": f"geObservatory {__version__}, {about['geobs:engine']}",
        "PASS": about["sat:orbit_state"].upper(),
        "REL_ORBIT": about["sat:relative_orbit"],
        "first_line_time": begin,
        "last_line_time": end,
        "mds1_tx_rx_polar": _polarisation(made),
        "range_looks": float(about["sar:looks_range"]),
        "azimuth_looks": float(about["sar:looks_azimuth"]),
        # MHz.
        "radar_frequency": made.frequency_hz / 1e6,
        "is_terrain_corrected": 1,
        "coregistered_stack": 1,
        "Baselines": {f"Ref_{first}": {f"Secondary_{second}": {"Perp Baseline": baseline}}},
    }
