"""The status page of the hubs: one HTML file that needs no network and no script."""

import math
from pathlib import Path

import jinja2

from geobservatory.files import written_whole
from geobservatory.probing import charts
from geobservatory.probing.report import HubReport, StatusReport

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
        published={
            one.hub.name: charts.bars(
                one.days,
                lambda day: float(sum(day.published.values())),
                "products",
                f"Products {one.hub.name} published each day",
            )
            for one in report.hubs
        },
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


def _number(value: float | None, unit: float, name: str, digits: int = 1) -> str:
    """Write a number with its unit, and a dash for what is not known."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value / unit:.{digits}f} {name}"
