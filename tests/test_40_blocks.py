"""Blocks and policies against a real Prefect server in the process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # Prefect reads its environment when it is imported; the harness takes care of the server.
    folder = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(folder))
        from prefect.settings import PREFECT_RESULTS_PERSIST_BY_DEFAULT, temporary_settings
        from prefect.testing.utilities import prefect_test_harness

        with (
            prefect_test_harness(server_startup_timeout=120),
            temporary_settings({PREFECT_RESULTS_PERSIST_BY_DEFAULT: True}),
        ):
            yield


@pytest.mark.usefixtures("prefect")
def test_blocks_give_what_the_settings_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pydantic import SecretStr

    from blocks.accounts import (
        Catalogue,
        EngineChoice,
        HubAccount,
        NotificationAccount,
        register_blocks,
    )
    from blocks.settings import settings_with_blocks
    from geobservatory.settings.model import Engine

    monkeypatch.chdir(tmp_path)
    assert settings_with_blocks().hubs == ()
    register_blocks()
    register_blocks()
    account = {"kind": "dhus", "address": "https://a", "user": "me"}
    HubAccount(**account, password=SecretStr("geheim")).save("mirror")
    Catalogue(database_url=SecretStr("postgresql://me:geheim@h/d")).save("default")
    EngineChoice(settings=Engine(threads=3)).save("default")
    NotificationAccount(
        recipients=["duty@example.org"],
        webhook=SecretStr("https://hooks.example.org/geheim"),
        webhook_secret=SecretStr("geheim"),
    ).save("default")

    settings = settings_with_blocks()
    (hub,) = settings.hubs
    assert (hub.name, hub.user) == ("mirror", "me")
    assert hub.password is not None
    assert hub.password.get_secret_value() == "geheim"
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://me:geheim@h/d"
    assert settings.engine.threads == 3
    assert settings.notification.recipients == ("duty@example.org",)
    assert settings.notification.webhook_secret is not None
    assert settings.notification.webhook_secret.get_secret_value() == "geheim"
    assert "geheim" not in repr(settings)

    # The file and variables win.
    monkeypatch.setenv("GEOBS_DATABASE_URL", "postgresql://other/d")
    (tmp_path / "geobs.toml").write_text(
        '[engine]\nspacing_m = 20\n[[hubs]]\nname = "mirror"\nkind = "asf"\naddress = "https://b"\n'
    )
    settings = settings_with_blocks()
    assert [hub.kind for hub in settings.hubs] == ["asf"]
    assert settings.engine.threads is None
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://other/d"


@pytest.mark.usefixtures("prefect")
def test_only_what_may_pass_is_tried_again() -> None:
    from prefect import flow, task

    from geobservatory.errors import InputError, TransientError
    from tasks.policies import RETRY_TRANSIENT

    runs = {"transient": 0, "permanent": 0}

    @task(**{**RETRY_TRANSIENT, "retry_delay_seconds": 0})
    def transient() -> int:
        runs["transient"] += 1
        if runs["transient"] < 3:
            raise TransientError("busy")
        return runs["transient"]

    @task(**{**RETRY_TRANSIENT, "retry_delay_seconds": 0})
    def permanent() -> None:
        runs["permanent"] += 1
        raise InputError("wrong")

    @flow
    def both() -> None:
        assert transient() == 3
        with pytest.raises(InputError):
            permanent()

    both()
    assert runs == {"transient": 3, "permanent": 1}


@pytest.mark.usefixtures("prefect")
def test_what_was_asked_twice_is_done_twice() -> None:
    """Prefect's own cache would leave out the second: the world may have changed between."""
    from prefect import flow, task

    from tasks.policies import RETRY_TRANSIENT

    ran: list[int] = []

    @task(**RETRY_TRANSIENT, persist_result=True)
    def work(x: int) -> int:
        ran.append(x)
        return x

    @flow(persist_result=True)
    def twice() -> None:
        work(1)
        work(1)

    twice()
    assert ran == [1, 1]
