"""geObservatory: from an earthquake alert to a map of how the ground moved."""

from importlib.metadata import version

__version__ = version("geobservatory")
