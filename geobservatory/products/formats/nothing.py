"""Rasters whose word for nothing is 0."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def zero_for_nothing(values: NDArray[Any]) -> NDArray[Any]:
    """Put 0 where there is nothing (NaN), and the least number there is where a value is 0.

    A phase of 0 was measured as well as any other.
    """
    least = np.finfo(values.dtype).tiny
    return np.where(np.isnan(values), 0, np.where(values == 0, least, values)).astype(values.dtype)
