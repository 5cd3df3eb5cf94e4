"""Kite's own reader, without what of Kite cannot be loaded here.

Kite 1.5.8 is the newest on PyPI. Its compiled parts (covariance of noise, Okada's sources) were
built for NumPy 1 and end the import under NumPy 2; scenes are read and written by Python alone.
"""

import importlib.util
import os
import sys
import types
from typing import Any

import pytest


def load_kite() -> Any:
    """Import Kite with stand-ins for its compiled parts, which nothing here asks for anything."""
    if "kite" not in sys.modules:
        if importlib.util.find_spec("kite") is None:
            missing = "PyPI has no Kite for this machine (tests/readers.txt)"
            (pytest.fail if "NOTHING_SKIPPED" in os.environ else pytest.skip)(missing)
        sys.modules["kite.covariance_ext"] = types.ModuleType("kite.covariance_ext")
        sandbox = types.ModuleType("kite.sandbox_scene")
        sandbox.SandboxScene = sandbox.TestSandboxScene = object  # type: ignore[attr-defined]
        sys.modules["kite.sandbox_scene"] = sandbox
    import kite
    import kite.scene_io

    return kite
