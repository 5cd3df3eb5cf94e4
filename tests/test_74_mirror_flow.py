"""The mirror as operators see it: the flow through a real Prefect, and the commands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_world import USUAL, make_products, world
from test_60_up import HTTP, System, until

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("mirror")
    make_products(folder / "products", 5)
    with world(folder / "products", USUAL) as addresses:
        lines = [
            "[mirror]", "disk_gb = 1", "[[mirror.streams]]", 'name = "slc"', "window_days = 36500",
            "[[mirror.streams]]", 'name = "other"', 'mode = "EW"',
        ]  # fmt: skip
        for name in ("dhus", "cdse", "asf"):
            lines += [
                "[[hubs]]", f'name = "{name}"', f'kind = "{name}"',
                f'address = "{addresses[name]}"', 'user = "sandbox"', 'password = "sandbox"',
            ]  # fmt: skip
        settings = folder / "geobs.toml"
        settings.write_text("\n".join(lines) + "\n")
        made = System(folder)
        made.environment["GEOBS_CONFIG"] = str(settings)
        made.geobs("up", "--detach")
        # A run of the schedule would bring what a test has just taken away.
        for name in ("mirror-products/mirror", "verify-mirror/verify-mirror"):
            one = HTTP.get(f"{made.api}/deployments/name/{name}", timeout=10).json()["id"]
            paused = HTTP.post(f"{made.api}/deployments/{one}/pause_deployment", timeout=10)
            paused.raise_for_status()
        yield made
        made.geobs("down")


def ended(system: System, run: str) -> Any:
    found = HTTP.get(f"{system.api}/flow_runs/{run}", timeout=10).json()
    assert found["state_type"] not in ("FAILED", "CRASHED"), found["state"]["message"]
    return found["state_type"] == "COMPLETED" and found


def test_the_flow_brings_what_is_there_and_says_so(system: System) -> None:
    planned = system.json("mirror", "plan")
    assert "never read" in planned["streams"][0]["looks"]["dhus"]
    run = system.start_deployment("mirror-products/mirror", {})["id"]
    until(lambda: ended(system, run), 300)

    def slc() -> Any:
        streams = system.json("mirror", "status")["streams"]
        return next(one for one in streams if one["stream"] == "slc")

    until(lambda: slc()["held"] == 8, 120)
    assert (slc()["missing"], slc()["completeness"]) == ({}, 1.0)
    for key, told in (
        ("mirror", "slc"),
        ("mirror-upstreams", "cdse"),
        ("mirror-days", "[]"),
    ):
        address = f"{system.api}/artifacts/{key}/latest"
        assert until(lambda at=address: (one := HTTP.get(at, timeout=10)).ok and one.json(), 120)
        assert told in HTTP.get(address, timeout=10).json()["data"]
    # The products are of years ago: of the last days there is nothing to tell.
    # What waits is looked at again.
    wanted = {"filter": {"event": {"name": ["geobservatory.product.published"]}}}
    assert until(
        lambda: HTTP.post(f"{system.api}/events/filter", json=wanted, timeout=10).json()["total"]
    )


def test_the_commands_over_what_is_held(system: System) -> None:
    shown = system.json("mirror", "status", "--days", "3650", "--missing", "5")
    assert sum(one["held"] for one in shown["days"]["slc"]) == 8 and shown["missing"]["slc"] == []
    (name, *_) = [one["name"] for one in system.json("search", "--hub", "mirror")["scenes"]]
    assert system.json("mirror", "verify", "--read") == []
    pinned = system.json("mirror", "pin", name, "--reason", "a paper", "--as", "me")
    assert [(one["name"], one["holder"]) for one in pinned] == [(name, "me")]
    assert system.json("mirror", "unpin", name, "--as", "me") == {"unpinned": True, "left": []}
    assert system.geobs("mirror", "unpin", name, "--as", "me", check=False).returncode == 1
    assert system.json("mirror", "evict", "--dry-run") == []
    again = system.json("mirror", "sync", "slc")
    assert again["brought"] == [] and again["stopped"] == ""
    (file,) = Path(system.environment["GEOBS_DATA_DIR"]).rglob(f"{name}.SAFE.zip")
    file.unlink()
    found = system.geobs("mirror", "verify", check=False)
    assert found.returncode == 3 and "is gone" in found.stdout
    assert "forgotten" in system.geobs("mirror", "verify", "--repair").stdout
    came = system.geobs("mirror", "sync")
    assert "1 products came" in came.stdout and name in came.stderr and file.exists()


def test_verifying_is_a_flow(system: System) -> None:
    run = system.start_deployment("verify-mirror/verify-mirror", {})["id"]
    done = until(lambda: ended(system, run), 300)
    assert done["state"]["message"] == "0 findings"
