"""Settings: one model, from a TOML file and `GEOBS_*` variables over it."""

from geobservatory.settings.load import Origin, find_file, load_settings, load_with_origins
from geobservatory.settings.model import Settings

__all__ = ["Origin", "Settings", "find_file", "load_settings", "load_with_origins"]
