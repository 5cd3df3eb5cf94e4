"""Stand-ins for programs that cannot run where these tests run: ESA SNAP's gpt, GAMMA's commands.

They are not those programs. They take only what the written catalogues allow, fail in the ways the
real ones are known to fail, and leave real formats whose content the native engine computes, so
that all that lies around the real programs can be tested. What they agree with, SNAP or GAMMA need
not agree with: docs/snap.md and docs/gamma.md say what has been run against the real ones.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def install(folder: Path, module: str, names: list[str], **switches: str) -> list[Path]:
    """Put programs into a folder that run a module of this package.

    Parameters
    ----------
    module
        Its `main(name, arguments, switches)` is called.
    switches
        How the stand-in is to behave, e.g. ``fail="heap"``; a variable ``STANDIN_FAIL`` of the
        environment counts more, where the environment comes through.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name in names:
        path = folder / name
        path.write_text(
            f"#!{sys.executable}\n"
            # Its environment is the program's, not ours: where packages lie has to be told.
            f"import sys\nsys.path[:0] = {[str(HERE.parent), *filter(None, sys.path)]!r}\n"
            f"from standins.{module} import main\n"
            f"sys.exit(main({name!r}, sys.argv[1:], {switches!r}))\n"
        )
        path.chmod(0o755)
        made.append(path)
    return made
