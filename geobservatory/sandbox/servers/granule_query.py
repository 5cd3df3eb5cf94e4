"""What the ASF's catalogue (NASA's CMR) can be asked: each parameter a test of an entry.

Source: CMR search API, granule search by parameters.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.globe import circle
from geobservatory.sandbox.servers import granules
from geobservatory.sandbox.servers.granules import Entry
from geobservatory.sandbox.servers.view import View

Test = Callable[[Entry], bool]
Asked = dict[str, list[str]]
# Parameters that change nothing here: there is one provider, and one order.
_IGNORED = ("page_size", "sort_key[]", "provider", "scroll", "instrument[]")


def parameter_test(key: str, values: list[str], asked: Asked, view: View) -> Test:
    """Make a test of one parameter; of several values one has to fit, but every attribute.

    Raises
    ------
    InputError
        If a catalogue would not understand it.
    """
    if key.startswith("options[") or key in _IGNORED:
        return lambda one: True
    match key:
        case "attribute[]":
            tests = [_attribute(value, view) for value in values]
            return lambda one: all(test(one) for test in tests)
        case "platform[]":
            wanted = {value.upper() for value in values}
            return lambda one: granules.platform(one.offered.item) in wanted
        case "shortName" | "short_name" | "short_name[]":
            return lambda one: one.collection in values
        case "granule_ur[]":
            return lambda one: one.ur in values
        case "readable_granule_name[]":
            by_pattern = asked.get("options[readable_granule_name][pattern]") == ["true"]
            return lambda one: any(_named(one, value, by_pattern) for value in values)
        case "orbit_number":
            low, high = _bounds(values[0].split(","), float)
            return lambda one: _within(one.offered.item.name.absolute_orbit, low, high)
        case "temporal":
            return _temporal(values[0])
        case "updated_since":
            since = _time(values[0])
            return lambda one: one.offered.published >= since
        case "point" | "polygon" | "bounding_box" | "line" | "circle":
            areas = [_area(key, value) for value in values]
            return lambda one: any(area.intersects(one.footprint) for area in areas)
    raise InputError(f"Parameter [{key}] was not recognized.")


def about_bursts(asked: Asked) -> bool:
    """Tell whether a search is for bursts: all it names of theirs holds the word."""
    return any("BURST" in value for values in asked.values() for value in values)


def _attribute(text: str, view: View) -> Test:
    """Read ``type,NAME,value`` or ``type,NAME,least,most``, either of which may be empty."""
    kind, name, *limits = text.split(",")
    if kind not in ("string", "int", "float") or not limits:
        raise InputError(f"[{text}] is not a valid attribute")
    if kind == "string":
        return lambda one: one.attributes(view).get(name) == limits[0]
    low, high = _bounds(limits, float)

    def fits(one: Entry) -> bool:
        value = one.attributes(view).get(name)
        return value is not None and _within(float(value), low, high)

    return fits


def _bounds(texts: list[str], read: Callable[[str], float]) -> tuple[float | None, float | None]:
    try:
        low, high = (read(text) if text else None for text in (texts[0], texts[-1]))
    except ValueError as error:
        raise InputError(f"[{','.join(texts)}] is not a range of numbers") from error
    return low, high


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _named(one: Entry, wanted: str, by_pattern: bool) -> bool:
    return any(fnmatchcase(name, wanted) if by_pattern else name == wanted for name in one.names)


def _temporal(text: str) -> Test:
    start, stop = (_time(part) if part else None for part in [*text.split(","), ""][:2])

    def overlaps(one: Entry) -> bool:
        return (start is None or one.stop >= start) and (stop is None or one.start <= stop)

    return overlaps


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"[{text}] is not a valid datetime") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _area(kind: str, text: str) -> BaseGeometry:
    try:
        numbers = [float(number) for number in text.split(",")]
        pairs = list(zip(numbers[::2], numbers[1::2], strict=kind != "circle"))
        match kind:
            case "point":
                area: BaseGeometry = shapely.Point(pairs[0])
            case "bounding_box":
                area = shapely.box(*numbers)
            case "circle":
                area = circle(*numbers)
            case "line":
                area = shapely.LineString(pairs)
            case _:
                area = shapely.Polygon(pairs)
        return shapely.make_valid(area)
    except (ValueError, TypeError, IndexError, ShapelyError) as error:
        raise InputError(f"[{text}] is not a valid {kind}") from error


def read_count(text: str) -> int:
    """Read a number of results; `InputError` where it is none."""
    if not text.isdecimal() or len(text) > 9:
        raise InputError(f"[{text[:20]}] is not a number")
    return int(text)
