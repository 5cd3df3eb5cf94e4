"""Write what came of the validation: a table, and a picture of every case."""

import math
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from geobservatory.files import written_whole

_COLUMNS = 9
_HEAD = """# Validation

Written by `make validate`, never by hand; {when}, Python {python}.
Of {count} cases {right} came out as they should.

Pairs are simulated (three bursts of IW2, 25 by 60 km, or two bursts of IW1 and IW2 merged), made
into maps by the code of `geobs interferogram`, and held against the world they were made from.

- *coherence*: found, and true (thermal noise and baseline leave less);
- *km*: standard deviation of the phase left over square kilometres, radians, where the true
  coherence is above 0.3;
- *LOS*: error of the motion, millimetres RMS after one constant, where the true coherence is at
  least 0.6;
- *seam*: worst jump between bursts or swaths, radians, and its standard deviation;
- *shift*: found by spectral diversity beyond registration, lines; *s*: seconds.

The sky's delays are part of the truth. Where an event moved ground along the track, TOPS phase has
a part that the line of sight has not (`docs/interferogram.md`): it shows in the first cases.

| case | what | verdict | deformation | coherence | km | LOS | seam | shift | s |
|---|---|---|---|---|---|---|---|---|---|
"""


def write_page(page: Path, picture: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the page and its picture."""
    text = _HEAD.format(
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        python=platform.python_version(),
        count=len(rows),
        right=sum(row["right"] for row in rows),
    )
    text += "\n".join(_line(row) for row in rows)
    text += "\n\nPhase, and below it what is left of it without the truth (±1 rad):\n\n"
    text += f"![cases]({picture.name})\n"
    _draw(picture, rows)
    with written_whole(page) as beside:
        beside.write_text(text, encoding="utf-8")


def _line(row: dict[str, Any]) -> str:
    case, quality, deformation = row["case"], row["quality"], row["deformation"]
    limit = deformation.get("limit_m")
    moved = "-"
    if limit is not None and not math.isnan(limit):
        moved = f"{'yes' if row['detected'] else 'no'}, limit {limit * 1e3:.0f} mm"
    seams = [one for one in quality["seams"] if one["sigma"] > 0]
    worst = max(seams, key=lambda one: abs(one["jump"]), default=None)
    shift = quality["shift"]
    cells = (
        case.name,
        case.about,
        f"{'' if row['right'] else '**wrong** '}{row['verdict']}"
        + (f": {'; '.join(row['reasons'])}" if row["reasons"] else ""),
        moved,
        f"{row['coherence']:.3f} ({row['coherence_truth']:.3f})",
        _number(row["kilometre"], 3),
        _number(row["los_mm"], 2),
        "-" if worst is None else f"{worst['jump']:+.3f} / {worst['sigma']:.3f}",
        "-" if shift is None else f"{shift['lines']:+.4f}",
        f"{row['seconds']:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _draw(picture: Path, rows: Sequence[dict[str, Any]]) -> None:
    bands = math.ceil(len(rows) / _COLUMNS)
    figure = Figure((_COLUMNS * 1.3, bands * 5.6), dpi=90, layout="constrained")
    axes = np.atleast_2d(figure.subplots(2 * bands, _COLUMNS, squeeze=False))
    for one in axes.ravel():
        one.axis("off")
    for k, row in enumerate(rows):
        band, column = divmod(k, _COLUMNS)
        upper, lower = axes[2 * band, column], axes[2 * band + 1, column]
        step = max(1, row["wrapped"].shape[0] // 300)
        upper.imshow(row["wrapped"][::step, ::step], cmap="twilight", interpolation="nearest")
        lower.imshow(
            row["phase"][::step, ::step], cmap="RdBu", vmin=-1, vmax=1, interpolation="nearest"
        )
        upper.set_title(row["case"].name, fontsize=7)
    picture.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(picture) as beside, beside.open("wb") as out:
        FigureCanvasAgg(figure).print_png(out)
