"""Orbit files: which one is best for a product, among those in a folder and those in an archive.

Precise orbits (POEORB, some 20 days after the pass) before restituted ones (RESORB, hours after),
the newest of a kind first, the annotation's own vectors last. Names are after the Earth Observation
Ground Segment File Format Standard, PE-TN-ESA-GS-0001.
"""

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import requests
from eof.asf_client import ASFClient
from eof.products import SentinelOrbit
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from geobservatory.errors import InputError, NotFoundError, TransientError
from geobservatory.fetch import cached
from geobservatory.sentinel1.orbit import Orbit, join, read_eof
from geobservatory.sentinel1.safe import SafeProduct
from geobservatory.sentinel1.xml import parse

ORBIT_ADDRESS = "https://s1-orbits.s3.amazonaws.com"
# Four vectors, 10 s apart, on either side of any time: the interpolation is centred throughout.
MARGIN = timedelta(seconds=60)
# A restituted orbit is made within hours; some are made again within days.
_RESTITUTED = timedelta(days=5)
_NAME = re.compile(
    r"(?P<mission>S1[A-D])_OPER_AUX_(?P<kind>POEORB|RESORB)_\w{4}_(?P<created>\d{8}T\d{6})"
    r"_V(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})"
)
_TIME = "%Y%m%dT%H%M%S"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OrbitFileName:
    """What the name of an orbit file says; times are UTC."""

    mission: str
    kind: str
    created: datetime
    start: datetime
    stop: datetime

    def __str__(self) -> str:
        """Write the name, without ending."""
        return (
            f"{self.mission}_OPER_AUX_{self.kind}_OPOD_{self.created:{_TIME}}"
            f"_V{self.start:{_TIME}}_{self.stop:{_TIME}}"
        )

    def covers(self, start: datetime, stop: datetime) -> bool:
        """Tell whether it covers a span of time and a minute about it."""
        return self.start <= start - MARGIN and stop + MARGIN <= self.stop


@dataclass(frozen=True)
class ChosenOrbit:
    """The orbit taken for a product, and why.

    `file` is None where it is the annotation's own; `reason` is for a person to read.
    """

    orbit: Orbit
    file: Path | None
    reason: str


def parse_orbit_name(name: str) -> OrbitFileName:
    """Read the name of an orbit file, with or without ``.EOF``, ``.gz`` or ``.zip``.

    Raises
    ------
    InputError
        If it is none.
    """
    match = _NAME.match(name)
    if match is None or name[match.end() :].upper() not in _ENDINGS:
        raise InputError(f"{name[:120]!r} is not the name of a Sentinel-1 orbit file")
    try:
        created, start, stop = (
            datetime.strptime(match[part], _TIME).replace(tzinfo=UTC)
            for part in ("created", "start", "stop")
        )
    except ValueError as error:
        raise InputError(f"{name!r} holds a time that does not exist") from error
    return OrbitFileName(match["mission"], match["kind"], created, start, stop)


_ENDINGS = ("", ".EOF", ".EOF.GZ", ".EOF.ZIP", ".ZIP")


def choose_orbit(
    slices: Sequence[SafeProduct],
    source: Path | None,
    fetch_from: str | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> ChosenOrbit:
    """Choose the best orbit for a pass.

    Parameters
    ----------
    slices
        The products of the pass.
    source
        A folder of orbit files, to which fetched ones are added, or the one file to take; None for
        the annotation's own vectors.
    fetch_from
        Archive to fetch from what a folder lacks, laid out as ASF's public bucket is; None for
        none.
    wait
        Waits so many seconds between attempts to fetch.

    Raises
    ------
    InputError
        If the source is not there, or the one file named is damaged, of another satellite or
        another day.
    """
    mission = slices[0].name.mission
    start, stop = _span(slices)
    if source is None:
        return _own(slices, "no orbit files were named")
    if not source.exists():
        raise InputError(f"{source}: no such file or folder of orbit files")
    if source.is_file():
        return ChosenOrbit(_verified(source, mission, start, stop), source, "it was named")
    found = find_orbit(source, mission, start, stop)
    if fetch_from is not None and (found is None or found[1].source != "POEORB"):
        try:
            fetched = fetch_orbit(source, fetch_from, mission, start, stop, wait)
        except TransientError as error:
            _log.warning("no orbit file could be fetched: %s", error)
            fetched = None
        if fetched is not None:
            found = find_orbit(source, mission, start, stop)
    if found is None:
        return _own(slices, f"{source} has none of {mission} for {start:%Y-%m-%d %H:%M:%S}")
    return ChosenOrbit(found[1], found[0], f"the best {found[1].source} that covers the pass")


def find_orbit(
    folder: Path, mission: str, start: datetime, stop: datetime
) -> tuple[Path, Orbit] | None:
    """Find the best orbit file of a folder, at any depth; None where none covers the span.

    A file that is damaged, or not what its name says, is passed over with a warning. Hidden
    folders are not looked into: an unfinished map has copies there, which go with it.
    """
    candidates = []
    for path in folder.rglob("S1*_OPER_AUX_*ORB_*"):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        try:
            name = parse_orbit_name(path.name)
        except InputError:
            continue
        if name.mission == mission and name.covers(start, stop):
            candidates.append((name.kind == "POEORB", name.created, path))
    for _, _, path in sorted(candidates, reverse=True):
        try:
            return path, _verified(path, mission, start, stop)
        except InputError as error:
            _log.warning("passed over: %s", error)
    return None


def fetch_orbit(
    folder: Path,
    address: str,
    mission: str,
    start: datetime,
    stop: datetime,
    wait: Callable[[float], None] = time.sleep,
) -> Path | None:
    """Fetch the best orbit file that an archive has for a span of time.

    Which file that is says `sentineleof`. The archive is listed, and the file fetched and verified,
    by this program: the library's own way knows one address only, keeps a list it once read for as
    long as the process lives, and writes under the final name.

    Returns
    -------
    path
        In `folder`; None where none is published yet.

    Raises
    ------
    TransientError
        If the archive does not answer, or what it sends is damaged time after time.
    InputError
        If the archive refuses.
    """
    archive = _Archive(address, mission, start)
    keys = archive.get_download_urls(
        [start.replace(tzinfo=None)],
        [mission],
        margin0=MARGIN,
        margin1=stop - start + MARGIN,
    )
    if not keys:
        return None
    name = keys[0].rpartition("/")[2]
    kind = parse_orbit_name(name).kind
    path = folder / name

    def check(file: Path) -> None:
        _check_content(file, mission, start, stop)

    try:
        return cached(
            f"{address.rstrip('/')}/AUX_{kind}/{name}",
            path,
            check,
            wait,
        )
    except NotFoundError as error:
        raise TransientError(f"{error}; its list has it") from error


class _Archive(ASFClient):
    """The choice of `sentineleof` among what an archive lists now."""

    def __init__(self, address: str, mission: str, start: datetime) -> None:
        super().__init__()
        self._address, self._mission, self._start = address.rstrip("/"), mission, start

    def get_full_eof_list(
        self, orbit_type: str = "precise", max_dt: datetime | None = None
    ) -> list[SentinelOrbit]:
        """List what may hold the span: files made since then."""
        kind = "POEORB" if orbit_type == "precise" else "RESORB"
        prefix = f"AUX_{kind}/{self._mission}_OPER_AUX_{kind}_OPOD_"
        last = None if kind == "POEORB" else f"{prefix}{self._start + _RESTITUTED:{_TIME}}"
        keys = _listed(self._address, prefix, f"{prefix}{self._start:%Y%m%d}", last)
        names = [key for key in keys if _NAME.match(key.rpartition("/")[2])]
        return [SentinelOrbit(name) for name in names]


def _listed(address: str, prefix: str, after: str, last: str | None) -> list[str]:
    """Keys of a public bucket with a prefix, from one on, up to another (S3 ListObjects)."""
    session = requests.Session()
    retry = Retry(total=4, backoff_factor=0.3, status_forcelist=[429, 500, 502, 503, 504])
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    keys: list[str] = []
    marker = after
    while True:
        try:
            answer = session.get(
                f"{address}/", params={"prefix": prefix, "marker": marker}, timeout=(10, 60)
            )
            answer.raise_for_status()
        except requests.RequestException as error:
            raise TransientError(f"{address}: does not list orbit files: {error}") from error
        root = parse(answer.content, f"{address}: its list of orbit files")
        page = [node.text() for node in root.all("{*}Contents/{*}Key")]
        keys += [key for key in page if last is None or key <= last]
        more = root.find("{*}IsTruncated")
        if not page or more is None or more.text().lower() != "true":
            return keys
        marker = page[-1]
        if last is not None and marker > last:
            return keys


def _own(slices: Sequence[SafeProduct], why: str) -> ChosenOrbit:
    orbits = [one.annotation(*next(iter(one.channels))).orbit for one in slices]
    return ChosenOrbit(join(orbits), None, f"the product's own vectors: {why}")


def _span(slices: Sequence[SafeProduct]) -> tuple[datetime, datetime]:
    annotations = [one.annotation(*channel) for one in slices for channel in one.channels]
    times = [
        min(one.start_time for one in annotations),
        max(one.stop_time for one in annotations),
    ]
    start, stop = (one.astype("datetime64[us]").item().replace(tzinfo=UTC) for one in times)
    return start, stop


def _verified(path: Path, mission: str, start: datetime, stop: datetime) -> Orbit:
    """Read an orbit file; `InputError` where it is damaged, or not of this satellite and time."""
    name = _NAME.match(path.name)
    if name is not None and name["mission"] != mission:
        raise InputError(f"{path}: an orbit of {name['mission']}; the product is of {mission}")
    return _check_content(path, mission, start, stop)


def _check_content(path: Path, mission: str, start: datetime, stop: datetime) -> Orbit:
    orbit = read_eof(path)
    first, last = (
        (orbit.epoch + np.timedelta64(round(float(at) * 1e9), "ns"))
        .astype("datetime64[us]")
        .item()
        .replace(tzinfo=UTC)
        for at in orbit.times_s[[0, -1]]
    )
    if not (first <= start - MARGIN and stop + MARGIN <= last):
        raise InputError(
            f"{path}: covers {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}; the {mission} "
            f"product needs {start - MARGIN:%Y-%m-%d %H:%M:%S} to {stop + MARGIN:%H:%M:%S}"
        )
    return orbit
