"""The report of `geobs engines check`: what it says of good, wrong and broken engines."""

from pathlib import Path

from console.engine_report import report
from geobservatory.sandbox.compare import Comparison
from geobservatory.trial import Agreement, Trial

TRUTH = Comparison(cells=1000, share=0.63, moved_mm=129.0, error_mm=0.46, sky_mm=2.0)
GOOD = Agreement(cells=1000, share=0.99, slope=1.001, rest_mm=0.2, coherence=-0.002)
WRONG = Agreement(cells=1000, share=0.99, slope=-1.0, rest_mm=90.0, coherence=-0.002)


def trial(**given: object) -> Trial:
    told = {
        "engine": "snap", "version": "10.0.0", "seconds": 44.0, "verdict": "good", "truth": TRUTH,
        "native": GOOD, "image_off_m": (-0.02, 1.4), "software": {"SNAP": "10.0.0"},
    }  # fmt: skip
    return Trial(**(told | given))  # type: ignore[arg-type]


def written(*trials: Trial) -> str:
    return report(trials, "simulated pair x", Path("/data/check"))


def test_a_good_engine_is_told_with_its_figures() -> None:
    text = written(trial(engine="native", native=None), trial(notes=("/opt/snap/bin/gpt, 4 GB",)))
    assert "native 10.0.0: made a map" in text
    assert "snap 10.0.0: agrees with the native engine" in text
    assert "    /opt/snap/bin/gpt, 4 GB" in text
    assert "0.46 mm RMS over 63% of the steady ground (+129 mm" in text
    assert "image against heights: +0.0 m east, +1.4 m north" in text
    assert "slope 1.001 (1 where signs and units are right)" in text


def test_a_wrong_sign_and_a_missing_image_are_told() -> None:
    text = written(trial(native=WRONG, image_off_m=None))
    assert "DISAGREES" in text
    assert "slope -1.000" in text
    assert "image against heights: cannot be told" in text


def test_a_failure_is_told_with_its_log_and_without_folders() -> None:
    failed = Trial(
        "gamma", None, 12.0, failed="ProgramError: mcf failed; all of it: /data/check/maps/log",
        tail=("ERROR: image data formats differ", f"wrote {Path.home()}/x"),
    )  # fmt: skip
    text = written(failed)
    assert "gamma (version unknown): FAILED" in text
    assert "all of it: CHECK/maps/log; after 12 s" in text
    assert "    | ERROR: image data formats differ" in text
    assert "    | wrote ~/x" in text
    assert "/data/check" not in text
