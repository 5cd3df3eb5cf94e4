"""What the annotation of one swath says: timing, bursts, polynomials, orbit, geolocation grid.

Source: Sentinel-1 Product Specification, S1-RS-MDA-52-7441; element names are its.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.sentinel1.orbit import Orbit
from geobservatory.sentinel1.xml import Element, parse

SPEED_OF_LIGHT = 299_792_458.0


@dataclass(frozen=True)
class Polynomial:
    """A polynomial of two-way slant range time about its own origin, valid near a time.

    value(t) = sum c_i (t - origin_s)^i, t in seconds; in Hz (Doppler centroid) or Hz/s (FM rate).
    """

    time: np.datetime64
    origin_s: float
    coefficients: NDArray[np.float64]

    def __call__(self, slant_range_time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate at two-way slant range times, any shape, seconds."""
        since = np.asarray(slant_range_time_s, dtype=np.float64) - self.origin_s
        return np.asarray(np.polynomial.polynomial.polyval(since, self.coefficients), np.float64)


@dataclass(frozen=True)
class DopplerEstimate:
    """Doppler centroid near a time: from the data, and from attitude and orbit."""

    data: Polynomial
    geometry: Polynomial


@dataclass(frozen=True)
class Burst:
    """One burst of a swath; `index` counts within this product only."""

    index: int
    azimuth_time: np.datetime64
    azimuth_anx_time_s: float
    sensing_time: np.datetime64
    byte_offset: int
    first_valid_sample: NDArray[np.int32]
    last_valid_sample: NDArray[np.int32]
    esa_id: int | None

    @property
    def valid_lines(self) -> tuple[int, int]:
        """First line that has valid samples, and the one after the last such line."""
        lines = np.flatnonzero(self.first_valid_sample >= 0)
        return (int(lines[0]), int(lines[-1]) + 1) if lines.size else (0, 0)

    @property
    def valid_samples(self) -> tuple[int, int]:
        """First sample valid in every valid line, and the one after the last such sample."""
        first, last = self.valid_lines
        if first == last:
            return 0, 0
        start = int(self.first_valid_sample[first:last].max())
        return start, max(start, int(self.last_valid_sample[first:last].min()) + 1)


@dataclass(frozen=True)
class GeolocationGrid:
    """Points the processor placed on the Earth; every array is (n,).

    Angles in degrees as the annotation has them, heights in metres above the ellipsoid.
    """

    azimuth_time: NDArray[np.datetime64]
    slant_range_time_s: NDArray[np.float64]
    line: NDArray[np.int64]
    pixel: NDArray[np.int64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    height_m: NDArray[np.float64]
    incidence_angle_deg: NDArray[np.float64]


@dataclass(frozen=True)
class Band:
    """A processed band and the coefficient of the Hamming window over it, 1 where there is none."""

    width_hz: float
    window: float


@dataclass(frozen=True)
class Annotation:
    """One swath in one polarisation."""

    file: str
    mission: str
    swath: str
    polarisation: str
    product_type: str
    mode: str
    direction: str
    absolute_orbit: int
    start_time: np.datetime64
    stop_time: np.datetime64
    radar_frequency_hz: float
    range_sampling_rate_hz: float
    azimuth_steering_rate_rad_s: float
    range_band: Band
    azimuth_band: Band
    first_line_time: np.datetime64
    ascending_node_time: np.datetime64
    slant_range_time_s: float
    azimuth_time_interval_s: float
    range_pixel_spacing_m: float
    azimuth_pixel_spacing_m: float
    lines: int
    samples: int
    lines_per_burst: int
    samples_per_burst: int
    bursts: tuple[Burst, ...]
    fm_rates: tuple[Polynomial, ...]
    doppler_centroids: tuple[DopplerEstimate, ...]
    orbit: Orbit
    geolocation_grid: GeolocationGrid

    @property
    def wavelength_m(self) -> float:
        """Radar wavelength, metres."""
        return SPEED_OF_LIGHT / self.radar_frequency_hz


def read_annotation(content: bytes, file: str) -> Annotation:
    """Read the annotation of an SLC swath.

    Raises
    ------
    InputError
        If it is damaged, incomplete, or not of an SLC; the message names the file and element.
    """
    root = parse(content, file)
    header = root.one("adsHeader")
    kind = header.text("productType")
    if kind != "SLC":
        raise InputError(f"{file}: is of a {kind} product; interferometry needs an SLC")
    info = root.one("generalAnnotation/productInformation")
    image = root.one("imageAnnotation/imageInformation")
    timing = root.one("swathTiming")
    bands = root.one("imageAnnotation/processingInformation/swathProcParamsList/swathProcParams")
    lines_per_burst = timing.integer("linesPerBurst")
    annotation = Annotation(
        file=file,
        mission=header.text("missionId"),
        swath=header.text("swath"),
        polarisation=header.text("polarisation"),
        product_type=kind,
        mode=header.text("mode"),
        direction=info.text("pass").lower(),
        absolute_orbit=header.integer("absoluteOrbitNumber"),
        start_time=header.time("startTime"),
        stop_time=header.time("stopTime"),
        radar_frequency_hz=_positive(info, "radarFrequency"),
        range_sampling_rate_hz=_positive(info, "rangeSamplingRate"),
        azimuth_steering_rate_rad_s=float(np.deg2rad(info.number("azimuthSteeringRate"))),
        range_band=_band(bands.one("rangeProcessing")),
        azimuth_band=_band(bands.one("azimuthProcessing")),
        first_line_time=image.time("productFirstLineUtcTime"),
        ascending_node_time=image.time("ascendingNodeTime"),
        slant_range_time_s=_positive(image, "slantRangeTime"),
        azimuth_time_interval_s=_positive(image, "azimuthTimeInterval"),
        range_pixel_spacing_m=_positive(image, "rangePixelSpacing"),
        azimuth_pixel_spacing_m=_positive(image, "azimuthPixelSpacing"),
        lines=image.integer("numberOfLines"),
        samples=image.integer("numberOfSamples"),
        lines_per_burst=lines_per_burst,
        samples_per_burst=timing.integer("samplesPerBurst"),
        bursts=tuple(
            _burst(index, node, lines_per_burst, file)
            for index, node in enumerate(timing.all("burstList/burst"))
        ),
        fm_rates=tuple(
            _fm_rate(node) for node in root.all("generalAnnotation/azimuthFmRateList/azimuthFmRate")
        ),
        doppler_centroids=tuple(
            _doppler(node) for node in root.all("dopplerCentroid/dcEstimateList/dcEstimate")
        ),
        orbit=_orbit(root.all("generalAnnotation/orbitList/orbit"), file),
        geolocation_grid=_grid(root.all("geolocationGrid/geolocationGridPointList/*"), file),
    )
    if annotation.bursts and annotation.lines != len(annotation.bursts) * lines_per_burst:
        raise InputError(
            f"{file}: {len(annotation.bursts)} bursts of {lines_per_burst} lines are not the "
            f"{annotation.lines} lines it declares"
        )
    return annotation


def _positive(node: Element, path: str) -> float:
    value = node.number(path)
    if value <= 0:
        raise node.fault(path, f"{value} is not above zero")
    return value


def _band(node: Element) -> Band:
    window = node.number("windowCoefficient") if node.text("windowType") == "Hamming" else 1.0
    return Band(_positive(node, "processingBandwidth"), window)


def _burst(index: int, node: Element, lines: int, file: str) -> Burst:
    valid = [
        node.numbers(name).astype(np.int32) for name in ("firstValidSample", "lastValidSample")
    ]
    if any(len(one) != lines for one in valid):
        raise InputError(f"{file}: burst {index + 1} does not say which samples of each line count")
    identity = node.find("burstId")
    return Burst(
        index=index,
        azimuth_time=node.time("azimuthTime"),
        azimuth_anx_time_s=node.number("azimuthAnxTime"),
        sensing_time=node.time("sensingTime"),
        byte_offset=node.integer("byteOffset"),
        first_valid_sample=valid[0],
        last_valid_sample=valid[1],
        esa_id=identity.integer() if identity is not None else None,
    )


def _fm_rate(node: Element) -> Polynomial:
    # Before IPF 2.4 the coefficients stood in elements of their own.
    if node.find("azimuthFmRatePolynomial") is not None:
        coefficients = node.numbers("azimuthFmRatePolynomial")
    else:
        coefficients = np.array([node.number(name) for name in ("c0", "c1", "c2")])
    return Polynomial(node.time("azimuthTime"), node.number("t0"), coefficients)


def _doppler(node: Element) -> DopplerEstimate:
    time, origin = node.time("azimuthTime"), node.number("t0")
    data, geometry = (
        Polynomial(time, origin, node.numbers(name))
        for name in ("dataDcPolynomial", "geometryDcPolynomial")
    )
    return DopplerEstimate(data, geometry)


def _orbit(nodes: list[Element], file: str) -> Orbit:
    if any(node.text("frame") != "Earth Fixed" for node in nodes):
        raise InputError(f"{file}: its state vectors are not Earth-fixed")
    position, velocity = (
        np.array([[node.number(f"{name}/{axis}") for axis in "xyz"] for node in nodes]).reshape(
            -1, 3
        )
        for name in ("position", "velocity")
    )
    times = np.array([node.time("time") for node in nodes], "datetime64[ns]")
    try:
        return Orbit.from_vectors(times, position, velocity, "annotation")
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _grid(nodes: list[Element], file: str) -> GeolocationGrid:
    if not nodes:
        raise InputError(f"{file}: its geolocation grid is empty")

    def column(name: str) -> NDArray[np.float64]:
        return np.array([node.number(name) for node in nodes])

    latitude, longitude = column("latitude"), column("longitude")
    if np.abs(latitude).max() > 90 or np.abs(longitude).max() > 180:
        raise InputError(f"{file}: its geolocation grid leaves the globe")
    return GeolocationGrid(
        azimuth_time=np.array([node.time("azimuthTime") for node in nodes], "datetime64[ns]"),
        slant_range_time_s=column("slantRangeTime"),
        line=np.array([node.integer("line") for node in nodes]),
        pixel=np.array([node.integer("pixel") for node in nodes]),
        latitude=latitude,
        longitude=longitude,
        height_m=column("height"),
        incidence_angle_deg=column("incidenceAngle"),
    )
