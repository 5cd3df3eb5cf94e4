"""A world of hubs in a process of its own, that can be killed.

python hub_process.py WORLD.json ADDRESSES.json
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geobservatory.files import written_whole
from geobservatory.sandbox.servers.world import Addresses, WorldConfig, read_world, serve


@contextmanager
def hub_process(
    config: WorldConfig, folder: Path
) -> Iterator[tuple[subprocess.Popen[bytes], Addresses]]:
    """Start a world in a process; it is killed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    world, told = folder / "world.json", folder / "addresses.json"
    world.write_text(config.model_dump_json())
    process = subprocess.Popen([sys.executable, __file__, str(world), str(told)])
    try:
        while not told.exists():
            assert process.poll() is None
            time.sleep(0.05)
        yield process, json.loads(told.read_text())
    finally:
        process.kill()
        process.wait()


def main(world: Path, told: Path) -> None:
    """Serve until killed."""

    def ready(addresses: Addresses) -> None:
        with written_whole(told) as beside:
            beside.write_text(json.dumps(addresses))

    asyncio.run(serve(read_world(world), ready))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
