"""Pictures of the status page: what they draw is what was measured."""

import math
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from browser import Page, browser
from hub_world import settings_of

from geobservatory.catalog.database import open_catalog
from geobservatory.catalog.measurements import BUCKET, Kind, Measured, Rollup
from geobservatory.hubs.model import Offer
from geobservatory.probing import charts, curves
from geobservatory.probing.by_type import type_reports
from geobservatory.probing.page import write_page
from geobservatory.probing.report import status_report
from geobservatory.probing.statistics import Spread, spread
from geobservatory.sandbox.hub_behaviour import make_products

pytestmark = pytest.mark.one_database

START = datetime(2024, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COLOURS = {"a": "#0072b2", "b": "#e69f00"}


def of(values: list[float], kind: Kind = Kind.LATENCY, type_: str = "", hour: int = 0) -> Rollup:
    buckets: dict[int, int] = {}
    for value in values:
        bucket = math.floor(math.log(value) / math.log(BUCKET))
        buckets[bucket] = buckets.get(bucket, 0) + 1
    at = START + hour * HOUR
    return Rollup("a", kind, type_, at, len(values), len(values), sum(values), buckets)


def lognormal(middle: float, sigma: float, seed: int = 1, count: int = 20_000) -> Spread:
    chance = Random(seed)
    return spread([of([middle * math.exp(chance.gauss(0, sigma)) for _ in range(count)])])


def points(svg: str, what: str, number: int = 0) -> list[tuple[float, float]]:
    found = re.findall(rf'<{what} points="([^"]+)"', svg)[number]
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found.split())]


def ticks(svg: str) -> dict[float, float]:
    """Give the marks of the axis below: value to place."""
    marks = re.findall(r'<text x="([\d.]+)" y="137.0" text-anchor="middle">([\d.]+)<', svg)
    return {float(value): float(x) for x, value in marks}


def test_a_curve_is_the_distribution_it_is_drawn_of() -> None:
    """Log-normal: at its median half, at a standard deviation of the logarithm more 84.1 %."""
    svg = curves.distribution(
        {"a": lognormal(7200, 0.4), "b": lognormal(14_400, 0.4, 2)}, COLOURS, 3600, "hours", "x"
    )
    assert svg is not None
    marks = ticks(svg)
    assert len(marks) >= 3
    # Places grow with the logarithm.
    (low, left), *_, (high, right) = sorted(marks.items())
    per = (right - left) / math.log(high / low)

    def share(number: int, value: float) -> float:
        x = left + per * math.log(value / low)
        line = points(svg, "polyline", number)
        y = next(y for at, y in line if at >= x - 0.3)
        return (126.0 - y) / 120.0

    for number, middle in ((0, 2.0), (1, 4.0)):
        assert share(number, middle) == pytest.approx(0.5, abs=0.06)
        assert share(number, middle * math.exp(0.4)) == pytest.approx(0.841, abs=0.05)
        heights = [y for _, y in points(svg, "polyline", number)]
        assert heights == sorted(heights, reverse=True)
        assert (heights[0], heights[-1]) == (126.0, 6.0)
    assert "a: half up to 2" in svg


def test_a_band_holds_what_it_says_and_breaks_where_nothing_is_known() -> None:
    nothing = spread([])
    days = [date(2024, 3, 1) + timedelta(days=n) for n in range(5)]
    spreads = [lognormal(20e6, 0.3, n) if n != 2 else nothing for n in range(5)]
    svg = curves.bands(days, spreads, 1e6, "MB/s", "x")
    assert svg is not None
    assert svg.count("<polygon") == 2
    top = max(float(one) for one in re.findall(r'text-anchor="end">([\d.]+)</text>', svg))
    line, band = points(svg, "polyline"), points(svg, "polygon")

    def value(y: float) -> float:
        return top * (126.0 - y) / 120.0

    assert value(line[0][1]) == pytest.approx(20, rel=0.03)
    assert value(band[0][1]) == pytest.approx(20 * math.exp(1.2816 * 0.3), rel=0.04)
    assert value(band[-1][1]) == pytest.approx(20 * math.exp(-1.2816 * 0.3), rel=0.04)
    assert curves.bands(days, [nothing] * 5, 1e6, "MB/s", "x") is None


def test_bars_are_as_high_as_their_parts() -> None:
    days = [date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 3)]
    values = [{"a": 6.0, "b": 2.0}, {}, {"b": 4.0, "a": 0.0}]
    svg = charts.stacked(days, values, COLOURS, "products", "x")
    found = re.findall(r'y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="(#\w+)"', svg)
    heights = [(fill, float(height)) for _, height, fill in found]
    per = 62 / 8
    assert heights == [
        ("#0072b2", pytest.approx(6 * per, abs=0.01)),
        ("#e69f00", pytest.approx(2 * per, abs=0.01)),
        ("#e69f00", pytest.approx(4 * per, abs=0.01)),
    ]
    # The second part stands on the first.
    assert float(found[1][0]) + heights[1][1] == pytest.approx(float(found[0][0]), abs=0.01)
    assert "up to 8 products" in svg and "01 Mar" in svg and "03 Mar" in svg


def test_names_are_text_and_nothing_else() -> None:
    evil = '<script>"x"'
    one = lognormal(1.0, 0.3, count=100)
    svg = curves.distribution({evil: one}, {evil: "#0072b2"}, 1, evil, evil)
    assert svg is not None and "<script>" not in svg
    assert "<script>" not in charts.stacked(
        [date(2024, 3, 1)], [{evil: 1.0}], {evil: "#000"}, evil, evil
    )


def test_types_are_told_apart() -> None:
    rollups = [
        of([3600.0] * 4, type_="SLC"),
        of([7200.0] * 2, type_="GRD"),
        of([2e6] * 3, Kind.TRANSFER, "SLC"),
        of([0.9], Kind.COMPLETENESS, "SLC", 0),
        of([0.5], Kind.COMPLETENESS, "SLC", 1),
        of([1.0], Kind.SEARCH),
    ]
    found = type_reports(rollups)
    assert list(found) == ["GRD", "SLC"]
    assert (found["SLC"].published, found["GRD"].published) == (4, 2)
    assert found["SLC"].completeness == 0.5 and found["GRD"].completeness is None
    assert found["SLC"].downloads.asked == 3 and found["GRD"].downloads.asked == 0
    assert found["GRD"].latency.quantile(0.5) == pytest.approx(7200, rel=0.05)


def seen(page: Page, selector: str) -> list[dict[str, float]]:
    """Give the boxes of elements, as the browser has laid them out."""
    boxes: list[dict[str, float]] = page.run(
        f"[...document.querySelectorAll({selector!r})].map(e => {{"
        "const b = e.getBoundingClientRect();"
        "return {x: b.x, y: b.y, width: b.width, height: b.height}})"
    )
    return boxes


def test_a_browser_shows_every_picture(database_url: str, tmp_path: Path) -> None:
    """Nothing runs out of the page or of its picture, and words can be told from the ground."""
    names = {"dhus": "http://x", "cdse": "http://y"}
    settings = settings_of(names, tmp_path)
    products = make_products(START, START + 8 * DAY, HOUR)
    now, chance = START + 9 * DAY, Random(1)
    transfer = {"name": "x", "bytes": 1, "seconds": 1, "first_byte_s": 0.1, "outcome": "done"}
    with open_catalog(database_url) as catalog:
        for late, name in enumerate(names, 1):
            catalog.record_offers(
                [Offer(one, name, "x", "", one.stop + late * HOUR, True) for one in products]
            )
            catalog.record_measurements(
                [
                    Measured(
                        name,
                        kind,
                        START + n * HOUR,
                        chance.lognormvariate(0, 0.5) * unit,
                        detail=transfer,
                    )
                    for n in range(9 * 24)
                    for kind, unit in ((Kind.SEARCH, 1.0), (Kind.TRANSFER, 2e7))
                ]
            )
        catalog.measure_publications(list(names), START, now)
        catalog.roll_up(now, timedelta(days=400))
        report = status_report(settings, catalog, now, 10)
    path = write_page(report, tmp_path)
    with browser(tmp_path) as page:
        for width in (390, 1280):
            for scheme in ("light", "dark"):
                shown(page, path.as_uri(), width, scheme)
        assert page.errors == [] and all(one.startswith("file:") for one in page.requests)


def shown(page: Page, address: str, width: int, scheme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.call("Emulation.setDeviceMetricsOverride", **size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.call("Emulation.setEmulatedMedia", features=features)
    page.open(address, 'document.querySelectorAll("svg").length >= 14')
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    # Publication, search and speed of two hubs; their speeds by day.
    assert len(seen(page, "svg.curves polyline")) == 3 * 2 + 2
    assert len(seen(page, "svg.curves polygon")) == 2
    for box in seen(page, "svg"):
        assert box["width"] > 100 and box["height"] > 15
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    outside = page.run(
        "[...document.querySelectorAll('svg.curves *, svg.bars *, svg.heat *')].filter(e => {"
        "const a = e.getBoundingClientRect(), b = e.closest('svg').getBoundingClientRect();"
        "return a.left < b.left - 1 || a.right > b.right + 1"
        " || a.top < b.top - 1 || a.bottom > b.bottom + 1}).map(e => e.outerHTML)"
    )
    # Titles have no place of their own.
    assert [one for one in outside if not one.startswith("<title")] == []
    ground, ink = page.run(
        "[getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('svg text')).fill]"
    )
    assert contrast(ground, ink) >= 4.5


def contrast(*colours: str) -> float:
    """Give the contrast of two colours; WCAG 2.2, section 1.4.3."""
    lights = []
    for colour in colours:
        parts = [int(one) / 255 for one in re.findall(r"\d+", colour)[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)
