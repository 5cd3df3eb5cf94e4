"""The TOPS carrier, on real pixels: what it leaves must lie about zero Doppler."""

import dataclasses
import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pytest

from geobservatory.errors import InputError
from geobservatory.insar.coregister import Nodes
from geobservatory.insar.interfere import deramp, interfere
from geobservatory.insar.tops import Carrier, carrier
from geobservatory.sentinel1.annotation import Annotation, read_annotation

LINES, SAMPLES, FIRST_LINE = 84, 338, 912


@dataclasses.dataclass(frozen=True)
class Crop:
    """Real pixels of one burst over Amsterdam, and their annotation."""

    annotation: Annotation
    pixels: np.ndarray
    first_sample: float

    def deramped(self, taken: Carrier, sign: int) -> np.ndarray:
        """Pixels after the carrier was taken away (-1) or put in once more (+1)."""
        line = FIRST_LINE + np.arange(LINES)[:, None]
        sample = self.first_sample + np.arange(SAMPLES)
        return self.pixels * np.exp(sign * 1j * taken.phase(line, sample))

    def centroid_hz(self, pixels: np.ndarray) -> float:
        """Azimuth Doppler centroid by the phase from line to line (Madsen, 1989)."""
        step = np.angle((pixels[1:] * pixels[:-1].conj()).sum())
        return float(step / (2 * np.pi * self.annotation.azimuth_time_interval_s))


@pytest.fixture(scope="module")
def crop(shared_data: Path) -> Crop:
    folder = shared_data / "slc-crop" / "20230331-coreg.znap"
    metadata = json.loads((folder / "SNAP" / "product_metadata.json").read_text())
    original = _child(_child({"elements": metadata}, "Original_Product_Metadata"), "annotation")
    xml = _xml(original["elements"][0]["elements"][0])
    # The program that cut the crop emptied the list of bursts; the data's description has the rest.
    burst = (
        "<burst><azimuthTime>2023-03-31T05:50:33.935118</azimuthTime>"
        "<azimuthAnxTime>0</azimuthAnxTime><sensingTime>2023-03-31T05:50:33.935118</sensingTime>"
        f"<byteOffset>0</byteOffset><firstValidSample>{'0 ' * 1524}</firstValidSample>"
        f"<lastValidSample>{'25000 ' * 1524}</lastValidSample></burst>"
    )
    xml = xml.replace("<linesPerBurst>0<", "<linesPerBurst>1524<")
    xml = xml.replace("<samplesPerBurst>0<", "<samplesPerBurst>25583<")
    xml = xml.replace("<burstList></burstList>", f"<burstList>{burst}</burstList>")
    annotation = dataclasses.replace(read_annotation(xml.encode(), "crop"), lines=1524)
    real, imaginary = (
        np.fromfile(folder / f"{part}_VV_31Mar2023" / "0.0", ">f4").reshape(LINES, SAMPLES)
        for part in "iq"
    )
    # Range times at tie points 1279 samples apart, the first one 225 samples before the crop.
    tie = np.fromfile(folder / "slant_range_time" / "0.0", ">f4")[:2].astype(float) * 1e-9
    range_time = tie[0] + 225 / 1279 * (tie[1] - tie[0])
    first = (range_time - annotation.slant_range_time_s) * annotation.range_sampling_rate_hz
    return Crop(annotation, real + 1j * imaginary, first)


def _child(node: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in node["elements"] if one["name"] == name)


def _xml(node: dict[str, Any]) -> str:
    """Write a tree of the crop's JSON as the XML it was read from."""
    inner = ""
    for one in node.get("attributes") or []:
        text = escape(str(one["data"]["elems"]))
        if one["name"] == node["name"]:
            inner += text
        elif one["name"] == "numberOfLines":
            inner += "<numberOfLines>1524</numberOfLines>"
        elif one["name"] != "count":
            inner += f"<{one['name']}>{text}</{one['name']}>"
    inner += "".join(_xml(one) for one in node.get("elements") or [])
    return f"<{node['name']}>{inner}</{node['name']}>"


def test_real_pixels_lie_about_zero_doppler_once_deramped(crop: Crop) -> None:
    taken = carrier(crop.annotation, crop.annotation.bursts[0])
    assert taken.rate_hz_s[round(crop.first_sample)] == pytest.approx(1537, abs=2)
    # As they come: far off, and drifting by 100 Hz from the upper half to the lower.
    assert crop.centroid_hz(crop.pixels) == pytest.approx(164, abs=1)
    below = crop.deramped(taken, -1)
    assert abs(crop.centroid_hz(below)) < 10
    half = LINES // 2
    assert abs(crop.centroid_hz(below[:half]) - crop.centroid_hz(below[half:])) < 10
    assert crop.centroid_hz(crop.deramped(taken, +1)) == pytest.approx(-133, abs=2)


def test_real_pair_is_as_coherent_as_it_is_known_to_be(crop: Crop, shared_data: Path) -> None:
    """0.768 over the crop; deramped, resampled by nothing and restored, the pair keeps it.

    Half a line or sample away it must lose some, or registration would have nothing to find.
    """
    folder = shared_data / "slc-crop" / "20230319-coreg.znap"
    real, imaginary = (
        np.fromfile(folder / f"{part}_VV_19Mar2023" / "0.0", ">f4").reshape(LINES, SAMPLES)
        for part in "iq"
    )
    taken = carrier(crop.annotation, crop.annotation.bursts[0])
    begin = round(crop.first_sample)
    here = Carrier(
        *(
            values[begin : begin + SAMPLES]
            for values in (taken.rate_hz_s, taken.centroid_hz, taken.reference_s)
        ),
        taken.line_s,
    )

    def coherent(lines: float, samples: float) -> float:
        other = (real + 1j * imaginary).astype(np.complex64)
        deramp(other, FIRST_LINE, here)
        shape = LINES // 2 + 2, SAMPLES // 8 + 2
        nodes = Nodes(
            FIRST_LINE, 0, np.zeros(shape), np.full(shape, lines), np.full(shape, samples),
            np.zeros(shape),
        )  # fmt: skip
        made = interfere(
            crop.pixels.astype(np.complex64), (FIRST_LINE, 0), other, FIRST_LINE, (0, SAMPLES),
            here, nodes, crop.annotation.wavelength_m, (LINES, SAMPLES),
        )  # fmt: skip
        assert made.pixels[0, 0] > 0.85 * LINES * SAMPLES
        power = np.sqrt(made.reference_power[0, 0] * made.secondary_power[0, 0])
        return float(abs(made.cross[0, 0]) / power)

    assert coherent(0, 0) == pytest.approx(0.768, abs=0.01)
    for away in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)):
        assert 0.4 < coherent(*away) < 0.72


def test_the_phase_is_the_integral_of_the_doppler_frequency(crop: Crop) -> None:
    """Its slope is centroid + rate x (time - reference), and phase is nought at the reference."""
    one = carrier(crop.annotation, crop.annotation.bursts[0])
    sample = np.array([0.0, 5000.0, 12000.5, 25582.0])
    line = np.array([0.0, 300.25, 760.0, 1523.0])[:, None]
    slope = (one.phase(line + 0.5, sample) - one.phase(line - 0.5, sample)) / (2 * np.pi)
    index = sample.astype(int)
    eta = line * one.line_s - one.reference_s[index]
    expected = one.centroid_hz[index] + one.rate_hz_s[index] * eta
    assert np.abs(slope / one.line_s - expected).max() < 0.1
    at_reference = one.reference_s[index] / one.line_s
    assert np.abs(one.phase(at_reference, index)).max() < 1e-9
    # The first sample's beam centre is the middle of the burst.
    assert one.reference_s[0] == pytest.approx(1524 * one.line_s / 2, abs=1e-12)


def test_estimates_nearest_to_the_middle_are_taken_with_their_own_origin(crop: Crop) -> None:
    annotation, burst = crop.annotation, crop.annotation.bursts[0]
    expected = carrier(annotation, burst)
    shuffled = dataclasses.replace(
        annotation,
        fm_rates=annotation.fm_rates[::-1],
        doppler_centroids=annotation.doppler_centroids[::-1],
    )
    assert np.array_equal(carrier(shuffled, burst).rate_hz_s, expected.rate_hz_s)
    assert np.array_equal(carrier(shuffled, burst).centroid_hz, expected.centroid_hz)
    later = dataclasses.replace(
        burst, azimuth_time=burst.azimuth_time + np.timedelta64(8_275, "ms")
    )
    assert not np.array_equal(carrier(annotation, later).centroid_hz, expected.centroid_hz)
    tau = annotation.slant_range_time_s
    nearest = annotation.doppler_centroids[1].data
    assert nearest.origin_s != annotation.fm_rates[1].origin_s
    by_hand = np.polynomial.Polynomial(nearest.coefficients)(tau - nearest.origin_s)
    assert expected.centroid_hz[0] == pytest.approx(by_hand)


def test_without_estimates_there_is_no_carrier(crop: Crop) -> None:
    burst = crop.annotation.bursts[0]
    for name, what in (("fm_rates", "FM rate"), ("doppler_centroids", "Doppler centroid")):
        with pytest.raises(InputError, match=what):
            carrier(dataclasses.replace(crop.annotation, **{name: ()}), burst)
