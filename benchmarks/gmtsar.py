"""GMTSAR and the native engine on the same simulated pairs, against the truth and each other.

    python -m benchmarks.gmtsar --root /opt/gmtsar [--page docs/gmtsar.md]

GMTSAR runs behind the engine `command`, by the template that operators use; `--root` names the
Debian root it is installed in (none on Debian 13). Takes some minutes a pair.
"""

import argparse
import tempfile
import tomllib
from pathlib import Path

from geobservatory.engines.command import CommandEngine
from geobservatory.engines.registry import require
from geobservatory.sandbox.scenario import find_scenario
from geobservatory.settings.command import Command
from geobservatory.trial import (
    Trial,
    event_dates,
    request_of,
    simulate_pair,
    try_engines,
)

_TEMPLATES = Path(__file__).parents[1] / "geobservatory" / "engines" / "templates"
_PAIRS = (("al-haouz-2023", "descending-52"), ("al-haouz-2023", "ascending-45"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="Debian root with GMTSAR")
    parser.add_argument("--folder", type=Path, help="keep simulated products and maps here")
    parser.add_argument("--page", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    engine = CommandEngine(template(arguments.root))
    require(engine)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        rows = [one for pair in _PAIRS for one in measure(engine, *pair, folder)]
    text = page(rows)
    print(text)
    if arguments.page is not None:
        arguments.page.write_text(text)


def template(root: Path | None) -> Command:
    """Give the shipped template, with the paths of this machine."""
    given = tomllib.loads((_TEMPLATES / "gmtsar.toml").read_text())["engine"]["command"]
    script = str(_TEMPLATES / "gmtsar.sh")
    environment = {} if root is None else {"GMTSAR_ROOT": str(root.resolve())}
    changes = {
        "run": (script, *given["run"][1:]),
        "version": (script, "--version"),
        "environment": environment,
    }
    return Command.model_validate({**given, **changes})


def measure(
    engine: CommandEngine, scenario: str, name: str, folder: Path
) -> list[tuple[str, Trial]]:
    def told(doing: str, share: float) -> None:
        print(f"\r{name}: {doing} {share:.0%}\033[K", end="", flush=True)

    world = folder / name
    made = simulate_pair(find_scenario(scenario), name, world, told)
    request = request_of(made, event_dates(made), world, world / "maps")
    trials = try_engines([engine], request, world, told)
    print()
    return [(f"{scenario}, {name}", one) for one in trials]


def page(rows: list[tuple[str, Trial]]) -> str:
    """Write the figures as a page."""
    version = next(one.version for _, one in rows if one.engine == "command")
    lines = [
        "# GMTSAR and the native engine",
        "",
        "Written by `python -m benchmarks.gmtsar`: the same simulated pairs (three bursts of IW2, "
        "with the",
        "earthquake between the dates) through both, on one grid; GMTSAR by the template of "
        "[engines](engines.md),",
        f"{version}, its phase unwrapped by ours. Errors are of motion along the line of sight "
        "where the ground",
        "stayed coherent, after one constant, the sky's delays known.",
        "",
        "| pair | engine | error, mm RMS | steady ground mapped | greatest motion, mm "
        "| image off, m E, N |",
        "|---|---|---|---|---|---|",
    ]
    for pair, one in rows:
        name = "GMTSAR" if one.engine == "command" else one.engine
        if one.truth is None or one.image_off_m is None:
            lines.append(f"| {pair} | {name} | failed: {one.failed} | | | |")
            continue
        east, north = one.image_off_m
        lines.append(
            f"| {pair} | {name} | {one.truth.error_mm:.2f} | {one.truth.share:.1%} "
            f"| {one.truth.moved_mm:+.0f} | {east:+.0f}, {north:+.0f} |"
        )
    lines += ["", "Of each other:", ""]
    lines += [
        f"- {pair}: {one.native.rest_mm:.2f} mm RMS apart over {one.native.share:.1%} of the "
        f"native engine's cells; slope {one.native.slope:.4f}; coherence "
        f"{one.native.coherence:+.3f}."
        for pair, one in rows
        if one.native is not None
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
