"""Product names: what they say, and how they are written.

Source: Sentinel-1 Product Definition, S1-RS-MDA-52-7440, section 3.4.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from geobservatory.errors import InputError

_NAME = re.compile(
    r"(?P<mission>S1[A-D])_(?P<mode>IW|EW|WV|EN|S[1-6])_(?P<kind>RAW|SLC|GRD|OCN|ETA)(?P<resolution>[FHM_])"
    r"_(?P<level>[012A])(?P<product_class>[SANC])(?P<polarisation>SH|SV|DH|DV|HH|HV|VV|VH)"
    r"_(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})"
    r"_(?P<orbit>\d{6})_(?P<data_take>[0-9A-F]{6})_(?P<crc>[0-9A-F]{4})"
    r"(?P<suffix>_COG)?(?:\.SAFE)?(?:\.zip)?"
)
_TIME = "%Y%m%dT%H%M%S"
_HALF_AN_ORBIT = timedelta(minutes=49)

# Relative orbit = (absolute - offset) mod 175 + 1 (SentiWiki, Sentinel-1 products). Sentinel-1C was
# moved in June 2026, after its orbit 8018; what is told of a product counts more than this.
_ORBIT_OFFSET = {"S1A": 73, "S1B": 27, "S1C": 99, "S1D": 42}
_S1C_MOVED_AFTER, _S1C_BEFORE = 8018, 172
_POLARISATIONS = {"SH": ("HH",), "SV": ("VV",), "DH": ("HH", "HV"), "DV": ("VV", "VH")}


@dataclass(frozen=True)
class ProductName:
    """The parts of a Sentinel-1 product's name; times are UTC to the second."""

    mission: str
    mode: str
    kind: str
    resolution: str
    level: str
    product_class: str
    polarisation: str
    start: datetime
    stop: datetime
    absolute_orbit: int
    data_take: str
    crc: str
    suffix: str = ""

    def __str__(self) -> str:
        """Write the name, without ``.SAFE``."""
        return (
            f"{self.mission}_{self.mode}_{self.kind}{self.resolution}_{self.level}"
            f"{self.product_class}{self.polarisation}_{self.start:{_TIME}}_{self.stop:{_TIME}}_"
            f"{self.absolute_orbit:06d}_{self.data_take}_{self.crc}{self.suffix}"
        )

    @property
    def polarisations(self) -> tuple[str, ...]:
        """Polarisations of the channels."""
        return _POLARISATIONS.get(self.polarisation, (self.polarisation,))

    def is_of_pass(self, other: "ProductName") -> bool:
        """Tell whether this and another are slices of one pass of one satellite."""
        return self.mission == other.mission and abs(self.start - other.start) < _HALF_AN_ORBIT

    @property
    def relative_orbit(self) -> int:
        """Relative orbit, 1 to 175, at the start."""
        offset = _ORBIT_OFFSET[self.mission]
        if self.mission == "S1C" and self.absolute_orbit <= _S1C_MOVED_AFTER:
            offset = _S1C_BEFORE
        return (self.absolute_orbit - offset) % 175 + 1

    @property
    def is_numbered_for_good(self) -> bool:
        """Whether the relative orbit is sure; satellites that fly are moved now and then."""
        return self.mission in ("S1A", "S1B")

    @property
    def same_acquisition(self) -> str:
        """What products of one acquisition share, however often it was processed."""
        return str(self)[: -len(self.crc + self.suffix) - 1]


def parse_name(name: str) -> ProductName:
    """Read a product name, with or without ``.SAFE`` or ``.zip``.

    Raises
    ------
    InputError
        If it is not one of Sentinel-1.
    """
    match = _NAME.fullmatch(name.strip())
    if match is None:
        raise InputError(f"{name[:120]!r} is not the name of a Sentinel-1 product")
    parts = match.groupdict()
    try:
        start, stop = (
            datetime.strptime(parts.pop(key), _TIME).replace(tzinfo=UTC)
            for key in ("start", "stop")
        )
    except ValueError as error:
        raise InputError(f"{name!r} holds a time that does not exist") from error
    return ProductName(
        mission=parts["mission"],
        mode=parts["mode"],
        kind=parts["kind"],
        resolution=parts["resolution"],
        level=parts["level"],
        product_class=parts["product_class"],
        polarisation=parts["polarisation"],
        start=start,
        stop=stop,
        absolute_orbit=int(parts["orbit"]),
        data_take=parts["data_take"],
        crc=parts["crc"],
        suffix=parts["suffix"] or "",
    )
