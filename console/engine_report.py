"""What `geobs engines check` found, as a text that can be sent to us as it is."""

import os
import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from geobservatory import __version__
from geobservatory.trial import Trial


def report(trials: Sequence[Trial], pair: str, folder: Path) -> str:
    """Write the report; folders of this machine are replaced in it.

    Parameters
    ----------
    pair
        Which simulated pair was used.
    folder
        Of the check, which is called CHECK in the report.
    """
    lines = [f"geobs engines check, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC", *_machine(), pair, ""]
    for one in trials:
        lines.append(f"{one.engine} {one.version or '(version unknown)'}: {_judged(one)}")
        lines += [f"    {line}" for line in _lines(one)]
    text, home = "\n".join(lines).replace(str(folder), "CHECK"), Path.home()
    return text if home == Path("/") else text.replace(str(home), "~")


def _machine() -> Iterator[str]:
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.system()
    memory = psutil.virtual_memory().total / 2**30
    yield f"geObservatory {__version__}, Python {platform.python_version()}"
    yield f"{system}, {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB of memory"


def _judged(trial: Trial) -> str:
    if trial.failed is not None:
        return "FAILED"
    if trial.native is None:
        return "made a map"
    return "agrees with the native engine" if trial.good else "DISAGREES with the native engine"


def _lines(trial: Trial) -> Iterator[str]:
    yield from trial.notes
    if trial.failed is not None or trial.truth is None:
        yield f"{trial.failed}; after {trial.seconds:.0f} s"
        yield from (f"| {line}" for line in trial.tail)
        return
    reasons = f": {'; '.join(trial.reasons)}" if trial.reasons else ""
    yield f"made by {', '.join(f'{name} {one}' for name, one in trial.software.items())}"
    yield f"verdict {trial.verdict}{reasons}; {trial.seconds:.0f} s"
    truth = trial.truth
    yield (
        f"against the truth: {truth.error_mm:.2f} mm RMS over {truth.share:.0%} of the "
        f"steady ground ({truth.moved_mm:+.0f} mm is the greatest motion)"
    )
    if trial.image_off_m is None:
        yield "image against heights: cannot be told"
    else:
        east, north = (round(one, 1) + 0.0 for one in trial.image_off_m)
        yield f"image against heights: {east:+.1f} m east, {north:+.1f} m north"
    if trial.native is not None:
        native = trial.native
        yield (
            f"against the native engine: {native.rest_mm:.2f} mm RMS over {native.share:.0%} of "
            f"its cells, slope {native.slope:.3f} (1 where signs and units are right), coherence "
            f"{native.coherence:+.3f}"
        )
