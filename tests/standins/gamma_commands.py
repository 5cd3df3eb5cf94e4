"""Stand-in for GAMMA's commands: what they object to, and files as they leave them.

Parameter files, geocoded and looked-down rasters are real; the images at full resolution are empty
files of the right size, because the native engine computes the interferogram from the products.
What each file stands for is kept in `standin.json` beside them.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from geobservatory.engines.gamma.catalogue import commands, problems

NAMES = {
    "ISP/bin": [
        "par_S1_SLC", "S1_OPOD_vec", "SLC_cat_ScanSAR", "SLC_copy_ScanSAR", "SLC_mosaic_ScanSAR",
        "multi_look", "create_offset", "cc_wave", "adf", "rascc_mask",
    ],
    "DIFF/bin": ["gc_map2", "geocode", "phase_sim_orb", "SLC_diff_intf", "geocode_back"],
    "DIFF/scripts": ["ScanSAR_coreg.py"],
    "LAT/bin": ["mcf"],
}  # fmt: skip
FORMER = {
    "SLC_cat_ScanSAR": "SLC_cat_S1_TOPS", "SLC_copy_ScanSAR": "SLC_copy_S1_TOPS",
    "SLC_mosaic_ScanSAR": "SLC_mosaic_S1_TOPS", "ScanSAR_coreg.py": "S1_coreg_TOPS",
}  # fmt: skip


class CommandError(Exception):
    """What a command says when it does not work."""


def install_gamma(home: Path, former: bool = False, **switches: str) -> Path:
    """Lay out a folder like GAMMA's, with the present names or the former ones."""
    from standins import install

    for folder, names in NAMES.items():
        given = [FORMER.get(name, name) if former else name for name in names]
        install(home / folder, "gamma_commands", given, **switches)
    return home


def main(name: str, arguments: list[str], switches: dict[str, str]) -> int:
    """Do as a command does."""
    fail = os.environ.get("STANDIN_FAIL", switches.get("fail", ""))
    step = os.environ.get("STANDIN_STEP", switches.get("step", name))
    command = commands()[name]
    print(f"*** {name} ***\n*** Copyright 2025, Gamma Remote Sensing, v0.0 1-Jan-2025 stand-in ***")
    found = list(problems([name, *arguments]))
    if found:
        usage = " ".join(f"[{a.name}]" if a.optional else f"<{a.name}>" for a in command.arguments)
        print(f"\nusage: {name} {usage}\n")
        if arguments:
            print(f"ERROR: {found[0]}")
        return 1 if arguments else 255
    named, _ = command.bind(arguments)
    given = {key: value for key, value in named.items() if value != "-"}
    for one in command.arguments:
        if one.kind == "in" and one.name in given and not Path(given[one.name]).exists():
            print(f"ERROR: cannot open file: {given[one.name]}")
            return 1
    if step == name and fail:
        match fail:
            case "status-0":
                print("ERROR: image data formats differ")
                return 0
            case "silent":
                return 0
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hangs":
                sys.stdout.flush()
                time.sleep(3600)
            case "python":
                print("Traceback (most recent call last):\n  subprocess.CalledProcessError")
                return 1
    state_path = Path("standin.json")
    state: dict[str, Any] = json.loads(state_path.read_text()) if state_path.exists() else {}
    from standins import gamma_files

    present = {former: now for now, former in FORMER.items()}.get(name, name)
    # Arguments of the former coregistration have other names.
    if name == "S1_coreg_TOPS":
        given |= {"rlks": given.pop("RLK"), "azlks": given.pop("AZLK")}
    try:
        if present in gamma_files.WORK:
            gamma_files.WORK[present](given, state)
        else:
            from standins import gamma_work

            gamma_work.WORK[present](given, state)
    except CommandError as error:
        print(f"ERROR: {error}")
        return 1
    state_path.write_text(json.dumps(state, indent=1))
    print(f"user time (s): 0.1\nsystem time (s): 0.1\n{name} ended")
    return 0
