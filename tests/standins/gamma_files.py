"""What the commands of GAMMA leave that handle files only: images, orbits, bursts, masks."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from geobservatory.engines.gamma.catalogue import commands
from geobservatory.sentinel1.annotation import read_annotation
from standins.gamma_commands import CommandError

State = dict[str, Any]
Given = dict[str, str]


def import_swath(given: Given, state: State) -> None:
    """Import a swath: par_S1_SLC."""
    path = Path(given["annotation_XML"])
    annotation = read_annotation(path.read_bytes(), path.name)
    write_par(Path(given["SLC_par"]), Path(given["GeoTIFF"]).name, annotation, annotation.lines,
               annotation.samples, (1, 1), "SCOMPLEX")  # fmt: skip
    Path(given["TOPS_par"]).write_text(
        "GAMMA Interferometric SAR Processor (ISP) - burst parameter file\n\n"
        f"number_of_bursts: {len(annotation.bursts)}\n"
    )
    blank(Path(given["SLC"]), annotation.lines, annotation.samples, 4)
    state[given["SLC"]] = {
        "annotation": str(path.resolve()), "swath": annotation.swath, "orbit": None,
        "polarisation": annotation.polarisation, "bursts": [1, len(annotation.bursts)],
    }  # fmt: skip


def set_orbit(given: Given, state: State) -> None:
    """Take an orbit file's vectors: S1_OPOD_vec."""
    one = state[given["SLC_par"].removesuffix(".par")]
    path = Path(one["annotation"])
    annotation = read_annotation(path.read_bytes(), path.name)
    from geobservatory.sentinel1.orbit_files import parse_orbit_name

    name = parse_orbit_name(Path(given["OPOD"]).name)
    start, stop = (
        np.datetime64(moment.replace(tzinfo=None), "ns") for moment in (name.start, name.stop)
    )
    if name.mission != annotation.mission or not start < annotation.first_line_time < stop:
        raise CommandError(said("S1_OPOD_vec", "missing"))
    one["orbit"] = given["OPOD"]


def join(given: Given, state: State) -> None:
    """Join slices: SLC_cat_ScanSAR."""
    for first, second, out in zip(
        *(stems(given[f"SLC_tab{n}"]) for n in (1, 2, 3)), strict=True
    ):  # fmt: skip
        parts = [*state[first].get("parts", [first]), second]
        count = sum(state[one]["bursts"][1] for one in parts)
        state[out] = {**state[first], "parts": parts, "bursts": [1, count]}
        _copy_files(first, out)


def copy_bursts(given: Given, state: State) -> None:
    """Cut bursts out: SLC_copy_ScanSAR."""
    rows = [line.split() for line in Path(given["BURST_tab"]).read_text().splitlines()]
    for source, out, (first, last) in zip(
        stems(given["SLC1_tab"]), stems(given["SLC2_tab"]), rows, strict=True
    ):
        if not 1 <= int(first) <= int(last) <= state[source]["bursts"][1]:
            raise CommandError(f"burst numbers {first} {last} outside of {source}")
        state[out] = {
            **state[source], "bursts": [int(first), int(last)],
            "parts": state[source].get("parts", [source]),
        }  # fmt: skip
        _copy_files(source, out)


def offset_file(given: Given, state: State) -> None:
    """Describe an interferogram: create_offset."""
    Path(given["OFF_par"]).write_text(
        "Gamma Interferometric SAR Processor (ISP)\nInterferogram and Image Offset Parameter File"
        f"\n\ninterferogram_azimuth_looks:        {given['azlks']}\n"
        f"interferogram_range_looks:          {given['rlks']}\n"
    )


def mask(given: Given, state: State) -> None:
    """Mask what is not coherent: rascc_mask."""
    found = np.fromfile(given["cc"], ">f4").reshape(-1, int(given["width"]))
    Image.fromarray(((found >= float(given["cc_thres"])) * 255).astype(np.uint8)).save(
        given["rasf"]
    )


def said(name: str, which: str) -> str:
    """Give the words of an error."""
    return commands()[name].errors[which]


def stems(tab: str) -> list[str]:
    """Name the images of a list."""
    return [line.split()[0] for line in Path(tab).read_text().splitlines()]


def _copy_files(source: str, out: str) -> None:
    for ending in (".par", ".tops_par"):
        Path(out + ending).write_bytes(Path(source + ending).read_bytes())
    blank(Path(out), 1, Path(source).stat().st_size, 1)


def blank(path: Path, rows: int, cols: int, size: int) -> None:
    """Leave an empty image of the right size."""
    with path.open("wb") as file:
        file.truncate(rows * cols * size)


def write_par(
    path: Path, title: str, annotation: Any, rows: int, cols: int, looks: tuple[int, int], kind: str
) -> None:
    """Write an image parameter file, with what the sequence and a reader need of it."""
    day = annotation.first_line_time.astype("datetime64[D]")
    start = float((annotation.first_line_time - day) / np.timedelta64(1, "ns")) * 1e-9
    line, near = annotation.azimuth_time_interval_s, annotation.slant_range_time_s * 299792458 / 2
    lines = [
        "Gamma Interferometric SAR Processor (ISP) - Image Parameter File", "",
        f"title:     {title}", f"sensor:    {annotation.mission} IW {annotation.swath}",
        f"date:      {str(day).replace('-', ' ')}",
        f"start_time:         {start:15.6f}   s",
        f"azimuth_line_time:  {line * looks[0]:15.7e}   s", f"range_samples:      {cols:15d}",
        f"azimuth_lines:      {rows:15d}", f"range_looks:        {looks[1]:15d}",
        f"azimuth_looks:      {looks[0]:15d}", f"image_format:               {kind}",
        "image_geometry:             SLANT_RANGE",
        f"range_pixel_spacing:     {annotation.range_pixel_spacing_m * looks[1]:.6f}   m",
        f"near_range_slc:     {near:15.4f}  m",
        f"radar_frequency:    {annotation.radar_frequency_hz:.7e}  Hz",
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")


WORK = {
    "par_S1_SLC": import_swath,
    "S1_OPOD_vec": set_orbit,
    "SLC_cat_ScanSAR": join,
    "SLC_copy_ScanSAR": copy_bursts,
    "create_offset": offset_file,
    "rascc_mask": mask,
}
