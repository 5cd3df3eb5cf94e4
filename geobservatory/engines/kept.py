"""Files that stay with a map, without the places of this machine in them."""

from collections.abc import Mapping
from pathlib import Path

from geobservatory.files import written_whole


def without_places(path: Path, places: Mapping[str, str], target: Path) -> Path:
    """Copy a text with what names a place of this machine replaced.

    Parameters
    ----------
    places
        Text to what stands for it; longer ones are replaced first.

    Returns
    -------
    target
        The copy.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    for place in sorted(places, key=len, reverse=True):
        text = text.replace(place, places[place])
    with written_whole(target) as beside:
        beside.write_text(text, encoding="utf-8")
    return target
