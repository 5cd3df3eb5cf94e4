"""What `geobs hubs --history` and `--compare` print."""

import math
from datetime import UTC, datetime
from typing import Any

from console.output import print_json, print_table

_PURPOSES = ("search", "download", "freshness")
_LEVELS = "▁▂▃▄▅▆▇█"


def print_report(days: float, *, history: bool, as_json: bool) -> None:
    """Print how the hubs did over some days."""
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.probing.report import status_report
    from geobservatory.settings import load_settings

    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        report = status_report(settings, catalog, datetime.now(UTC), days)
    if as_json:
        print_json(
            {"since": report.since, "at": report.at, "hubs": [_plain(one) for one in report.hubs]}
        )
    elif history:
        _print_history(report)
    else:
        _print_comparison(report)


def _print_comparison(report: Any) -> None:
    print_table(
        f"{report.since:%F} to {report.at:%F %H:%M} UTC",
        ("hub", "state", "answers", "search", "first byte", "download", "usual product", "delay",
         "complete", "first", "keeps", "online", "checksums", "search/download/fresh"),
        [
            (
                one.hub.name,
                one.state,
                _share(one.answers),
                _number(one.search.quantile(0.5), 1, "s", 2),
                _number(one.first_byte.quantile(0.5), 1, "s", 2),
                _number(one.speed.quantile(0.5), 1e6, "MB/s", 1),
                _number(_seconds(one, "download"), 60, "min", 1),
                _number(one.latency.quantile(0.5), 3600, "h", 1),
                "" if one.completeness is None else f"{one.completeness:.1%}",
                one.first,
                _number(one.window_s, 86_400, "days", 0),
                _share(one.online),
                _share(one.integrity),
                " / ".join(_points(one, purpose) for purpose in _PURPOSES),
            )
            for one in report.hubs
        ],
    )  # fmt: skip
    for one in report.hubs:
        if one.why:
            print(f"{one.hub.name}: {one.why}")


def _print_history(report: Any) -> None:
    for one in report.hubs:
        ribbon = "".join(_level(day.answers) for day in one.days)
        print(f"{one.hub.name}: {one.state}; answers a day {ribbon} (█ all, · not asked)")
        print_table(
            "",
            ("day", "answers", "search 50 % / 95 %", "download", "published", "first", "delay"),
            [
                (
                    day.day,
                    _share(day.answers),
                    f"{_number(day.search.quantile(0.5), 1, 's', 2)}"
                    f" / {_number(day.search.quantile(0.95), 1, 's', 2)}",
                    _number(day.speed.quantile(0.5), 1e6, "MB/s", 1),
                    ", ".join(f"{count} {kind}" for kind, count in day.published.items()),
                    day.first or "",
                    _number(day.latency.quantile(0.5), 3600, "h", 1),
                )
                for day in one.days
            ],
        )
    incidents = report.incidents
    if incidents:
        print_table(
            "Incidents",
            ("hub", "aspect", "began", "lasted", "cause"),
            [
                (
                    one.hub,
                    one.aspect,
                    f"{one.began_at:%F %H:%M}",
                    f"{one.lasted(report.at).total_seconds() / 60:.0f} min"
                    + (", open" if one.ended_at is None else ""),
                    one.cause,
                )
                for one in incidents
            ],
        )


def _plain(one: Any) -> dict[str, Any]:
    return {
        "hub": one.hub.name,
        "state": one.state,
        "why": one.why,
        "answers": _counted(one.answers),
        "search_s": _quantiles(one.search),
        "metadata_s": _quantiles(one.metadata),
        "first_byte_s": _quantiles(one.first_byte),
        "download_bytes_per_s": _quantiles(one.speed),
        "latency_s": _quantiles(one.latency),
        "downloads": _counted(one.downloads),
        "integrity": _counted(one.integrity),
        "online": _counted(one.online),
        "tokens": _counted(one.token),
        "types": {kind: _plain_type(of) for kind, of in one.types.items()},
        "first": one.first,
        "completeness": one.completeness,
        "window_s": one.window_s,
        "certificate_s": one.certificate_s,
        "scores": {purpose.value: vars(score) for purpose, score in one.scores.items()},
        "objectives": [
            {**vars(budget), "left": budget.left, "kept": budget.kept} for budget in one.budgets
        ],
        "days": [
            {
                "day": day.day,
                "answers": day.answers.value if day.answers.asked else None,
                "search_s": _quantiles(day.search),
                "download_bytes_per_s": _quantiles(day.speed),
                "latency_s": _quantiles(day.latency),
                "published": day.published,
                "first": day.first,
            }
            for day in one.days
        ],
        "incidents": [vars(incident) for incident in one.incidents],
    }  # fmt: skip


def _plain_type(of: Any) -> dict[str, Any]:
    return {
        "published": of.published,
        "completeness": of.completeness,
        "latency_s": _quantiles(of.latency),
        "metadata_s": _quantiles(of.metadata),
        "first_byte_s": _quantiles(of.first_byte),
        "download_bytes_per_s": _quantiles(of.speed),
        "downloads": _counted(of.downloads),
        "integrity": _counted(of.integrity),
        "online": _counted(of.online),
    }


def _counted(share: Any) -> dict[str, Any] | None:
    """Give a share with its interval; none where nothing was asked."""
    if not share.asked:
        return None
    return {"share": share.value, "asked": share.asked, "low": share.low, "high": share.high}


def _quantiles(spread: Any) -> dict[str, float]:
    return {"count": spread.count} | {
        f"p{round(100 * part)}": spread.quantile(part) for part in (0.1, 0.5, 0.9, 0.95)
    }


def _seconds(one: Any, purpose: str) -> float | None:
    return one.scores[purpose].seconds if purpose in one.scores else None


def _points(one: Any, purpose: str) -> str:
    return f"{one.scores[purpose].points:.0f}" if purpose in one.scores else "–"


def _share(share: Any) -> str:
    return f"{share.value:.1%}" if share.asked else ""


def _number(value: float | None, unit: float, name: str, digits: int) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{value / unit:.{digits}f} {name}"


def _level(share: Any) -> str:
    return _LEVELS[min(7, int(share.value * 8))] if share.asked else "·"
