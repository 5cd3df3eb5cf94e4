"""The status page of the hubs: one HTML file that needs no network and no script."""

import math
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from geobservatory.files import written_whole
from geobservatory.probing import charts, curves
from geobservatory.probing.report import HubReport, StatusReport
from geobservatory.probing.statistics import Spread

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_INCIDENTS = 50


def render(report: StatusReport) -> str:
    """Write the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["share"] = lambda one: f"{one.value:.2%}" if one.asked else "–"
    environment.filters["utc"] = lambda time: f"{time:%Y-%m-%d %H:%M} UTC"
    template = environment.get_template("status.html")
    colours = charts.colours_of(one.hub.name for one in report.hubs)
    types = charts.colours_of(sorted({kind for one in report.hubs for kind in one.types}))
    return template.render(
        report=report,
        hubs=report.hubs,
        ribbons={one.hub.name: _ribbon(one, report) for one in report.hubs},
        speeds={
            one.hub.name: charts.heat(
                one.speed_by_hour, 1e6, "MB/s", f"Download speed of {one.hub.name} by hour"
            )
            for one in report.hubs
        },
        searches={
            one.hub.name: charts.heat(
                one.search_by_hour, 1.0, "s", f"Search time of {one.hub.name} by hour"
            )
            for one in report.hubs
        },
        bands={one.hub.name: _speeds(one) for one in report.hubs},
        distributions=_distributions(report, colours),
        colours=colours,
        types=types,
        published={one.hub.name: _published(one, types) for one in report.hubs},
        first=_first(report, colours),
        incidents=report.incidents[:_MOST_INCIDENTS],
        style=(_TEMPLATES / "status.css").read_text(encoding="utf-8"),
    )


def write_page(report: StatusReport, folder: Path) -> Path:
    """Write the page as `index.html` of a folder, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    with written_whole(path) as beside:
        beside.write_text(render(report), encoding="utf-8")
    return path


def _ribbon(one: HubReport, report: StatusReport) -> str:
    said = (
        f"Answers of {one.hub.name}, hour by hour: {one.answers.value:.1%} of {one.answers.asked}"
    )
    return charts.ribbon(one.hours, report.since, said)


def _days(one: HubReport) -> list[date]:
    return [day.day for day in one.days]


def _speeds(one: HubReport) -> Markup | None:
    label = f"Download speed of {one.hub.name}, day by day"
    return curves.bands(_days(one), [day.speed for day in one.days], 1e6, "MB/s", label)


def _distributions(
    report: StatusReport, colours: Mapping[str, str]
) -> list[tuple[str, Markup | None]]:
    def drawn(of: Callable[[HubReport], Spread], unit: float, name: str, said: str) -> Any:
        spreads = {one.hub.name: of(one) for one in report.hubs}
        return said, curves.distribution(spreads, colours, unit, name, f"{said}, share of all")

    return [
        drawn(lambda one: one.latency, 3600, "hours", "From sensing to publication"),
        drawn(lambda one: one.search, 1, "s", "First page of a search"),
        drawn(lambda one: one.metadata, 1, "s", "All that is told of a product"),
        drawn(lambda one: one.first_byte, 1, "s", "First byte of a download"),
        drawn(lambda one: one.speed, 1e6, "MB/s", "Speed of downloads"),
    ]


def _published(one: HubReport, types: Mapping[str, str]) -> Markup:
    label = f"Products {one.hub.name} published each day"
    return charts.stacked(_days(one), [day.published for day in one.days], types, "products", label)


def _first(report: StatusReport, colours: Mapping[str, str]) -> Markup | None:
    if not report.compared:
        return None
    days = _days(report.hubs[0])
    counts = [
        {one.hub.name: one.days[number].first for one in report.hubs} for number in range(len(days))
    ]
    label = "Which hub had products first, day by day"
    return charts.stacked(days, counts, colours, "products", label)


def _number(value: float | None, unit: float, name: str, digits: int = 1) -> str:
    """Write a number with its unit, and a dash for what is not known."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value / unit:.{digits}f} {name}"
