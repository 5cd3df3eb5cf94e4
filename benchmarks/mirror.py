"""Figures of the mirror: a plan, a storm over HTTP, a simulated year; written to a page.

    python -m benchmarks.mirror [--part plan|storm|year] [--page docs/mirror-figures.md]

A part that is not run keeps what stands on the page.
"""

import argparse
import os
import re
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import mirror_plan, mirror_storm, mirror_year
from benchmarks.storm import make

_PARTS = ("plan", "storm", "year")
_HEAD = """# Figures of the mirror

Written by `make mirror` (`python -m benchmarks.mirror`), never by hand.
"""


def plan(folder: Path, arguments: argparse.Namespace) -> tuple[str, bool]:
    result = mirror_plan.measure(folder, arguments.known)
    return _text(mirror_plan, mirror_plan.table(result), result.good), result.good


def storm(folder: Path, arguments: argparse.Namespace) -> tuple[str, bool]:
    result = mirror_storm.storm(folder, make(folder / "products", arguments.products))
    return _text(mirror_storm, mirror_storm.table(result), result.good), result.good


def year(folder: Path, arguments: argparse.Namespace) -> tuple[str, bool]:
    step = timedelta(hours=arguments.step_hours)
    result = mirror_year.year(folder, arguments.days, step)
    return _text(mirror_year, mirror_year.table(result), result.good), result.good


def _text(module: object, table: str, good: bool) -> str:
    """Write a part: what was done, when and on what, and its figures."""
    title, _, about = str(module.__doc__).partition("\n\n")
    about = re.sub(r"    python .*\n\n", "", about).strip()
    busy = f"{os.getloadavg()[1]:.0f} processes wanted its {os.cpu_count()} cores"
    verdict = "All is as it should be." if good else "**Not as it should be.**"
    return (
        f"## {title.strip().rstrip('.')}\n\n{about}\n\n{datetime.now(UTC):%Y-%m-%d}; {busy} then."
        f" {verdict}\n\n| | |\n|---|---|\n{table}\n"
    )


def _parts(page: Path) -> dict[str, str]:
    """Read what stands on a page, by part."""
    if not page.is_file():
        return {}
    found = re.findall(r"<!-- (\w+) -->\n(.*?)\n<!-- end -->", page.read_text(), re.DOTALL)
    return dict(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=_PARTS, action="append")
    parser.add_argument("--days", type=float, default=365)
    parser.add_argument("--step-hours", type=float, default=8, help="between two runs of the year")
    parser.add_argument("--known", type=int, default=1_000_000)
    parser.add_argument("--products", type=int, default=60)
    parser.add_argument("--page", type=Path)
    arguments = parser.parse_args()
    written = {} if arguments.page is None else _parts(arguments.page)
    all_good = True
    for name in arguments.part or _PARTS:
        with tempfile.TemporaryDirectory() as temporary:
            text, good = {"plan": plan, "storm": storm, "year": year}[name](
                Path(temporary), arguments
            )
        print(text, flush=True)
        written[name], all_good = text, all_good and good
        if arguments.page is not None:
            body = "\n".join(
                f"<!-- {one} -->\n{written[one]}\n<!-- end -->\n"
                for one in _PARTS
                if one in written
            )
            arguments.page.write_text(f"{_HEAD}\n{body}")
    sys.exit(not all_good)


if __name__ == "__main__":
    main()
