"""Maps written for other programs: one folder that appears whole."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geobservatory.errors import InputError
from geobservatory.files import folder_written_whole
from geobservatory.products.formats import to_dimap, to_gamma, to_kite, to_licsbas, to_mintpy
from geobservatory.products.formats.made_map import MadeMap
from geobservatory.products.formats.stacks import make_stacks

# Formats of single maps, and of all maps of a track together.
_OF_A_MAP = {"dimap": to_dimap.write, "gamma": to_gamma.write, "kite": to_kite.write}
_OF_A_TRACK = {"mintpy": to_mintpy.write, "licsbas": to_licsbas.write}
FORMATS = (*_OF_A_MAP, *_OF_A_TRACK)
# They hold unwrapped phase, or nothing.
_UNWRAPPED_ONLY = ("kite", "mintpy", "licsbas")

Told = Callable[[str, float], None]
"""Takes what is written, and the share of the whole that is finished."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    files
        Relative to the folder.
    left_out
        Maps that this format has no use for, by name, with the reason.
    """

    folder: Path
    files: tuple[Path, ...]
    left_out: dict[str, str]


def export_maps(maps: Sequence[MadeMap], form: str, folder: Path, progress: Told) -> Exported:
    """Write maps in the format of another program.

    Parameters
    ----------
    form
        One of `FORMATS`. Of single maps each gets a folder of its name (Kite: files of its name);
        of stacks each track gets one.
    folder
        Takes the place of an earlier export.

    Raises
    ------
    InputError
        If no map can be written so, one is damaged, or the folder holds what somebody else put
        there, as programs do that work where their input is.
    OSError
        If the folder cannot be written. Nothing is left of it.
    """
    usable = [one for one in maps if one.unwrapped or form not in _UNWRAPPED_ONLY]
    left_out = {one.name: "it was made without unwrapping" for one in maps if one not in usable}
    if not usable:
        raise InputError(
            f"{form} takes unwrapped phase, and {', '.join(left_out)} has none; make it without "
            "--no-unwrap"
        )
    files: list[Path] = []
    jobs = _jobs(usable, form)
    with folder_written_whole(folder) as beside:
        for number, (place, write, what) in enumerate(jobs):
            progress(place, number / len(jobs))
            target = beside if form == "kite" else beside / place
            target.mkdir(exist_ok=True)
            files += [one.relative_to(beside) for one in write(what, target)]
        _require_ours(folder, files)
    progress("done", 1.0)
    return Exported(folder, tuple(files), left_out)


def _require_ours(folder: Path, files: Sequence[Path]) -> None:
    there = (one.relative_to(folder) for one in folder.rglob("*") if one.is_file())
    others = sorted(str(one) for one in there if one not in files)
    if others:
        raise InputError(
            f"{folder}: holds {others[0]}{f' and {len(others) - 1} more' if others[1:] else ''}, "
            "which this export does not write and will not remove; choose another --out, or "
            "remove the folder"
        )


def _jobs(maps: Sequence[MadeMap], form: str) -> list[tuple[str, Callable[..., list[Path]], Any]]:
    if form in _OF_A_MAP:
        return [(one.name, _OF_A_MAP[form], one) for one in maps]
    return [(f"track-{one.name}", _OF_A_TRACK[form], one) for one in make_stacks(maps)]
