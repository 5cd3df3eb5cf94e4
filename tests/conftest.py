"""What every test may ask for."""

from pathlib import Path

import pytest

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the checkout; a test that asks for it skips where it is absent."""
    if not _SHARED_DATA.is_dir():
        pytest.skip("real test data (../shared/data) is not beside this checkout")
    return _SHARED_DATA
