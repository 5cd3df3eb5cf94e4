"""`geobs notify`, `notices`, `subscribe` and `subscriptions` as an operator types them."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from mail_servers import mail_server
from typer.testing import CliRunner

from console.main import load_commands
from geobservatory.catalog.database import open_catalog
from geobservatory.errors import ConfigurationError, InputError, NotFoundError
from geobservatory.events.form import ActivationForm
from geobservatory.notify.deliver import queue
from geobservatory.notify.message import of_start
from geobservatory.settings import load_settings

pytestmark = pytest.mark.one_database


@pytest.fixture(autouse=True)
def _here(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOBS_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)


def geobs(*arguments: str) -> Result:
    return CliRunner().invoke(load_commands(), list(arguments))


def test_a_test_message_is_the_first_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = geobs("notify", "--test", "duty@example.org")
    assert isinstance(refused.exception, ConfigurationError)
    assert isinstance(geobs("notify", "--test", "nobody").exception, InputError)
    assert geobs("notify").exit_code == 2
    with mail_server() as box:
        monkeypatch.setenv("GEOBS_NOTIFICATION__SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("GEOBS_NOTIFICATION__SMTP_PORT", str(box.port))
        monkeypatch.setenv("GEOBS_NOTIFICATION__SENDER", "geobs@example.org")
        sent = geobs("notify", "--test", "duty@example.org")
    assert sent.exit_code == 0, sent.exception
    assert "has taken it" in sent.output
    assert [one["To"] for one in box.messages] == ["duty@example.org"]


def test_who_is_told_and_who_was(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = geobs(
        "subscribe", "duty@example.org",
        "--lat", "31", "--lon", "-8", "--radius-km", "500", "--magnitude", "6",
    )  # fmt: skip
    assert said.exit_code == 0, said.exception
    assert geobs("subscribe", "everything@example.org").exit_code == 0
    (duty, everything) = json.loads(geobs("subscriptions", "--json").stdout)
    assert (duty["address"], duty["magnitude"]) == ("duty@example.org", 6.0)
    assert everything["area"]["coordinates"]
    assert "duty@example.org" in geobs("subscriptions").stdout
    form = ActivationForm(
        event_time="2023-09-08T22:11:01Z", longitude=-8.4, latitude=31.1, magnitude=5.9
    )
    settings = load_settings()
    with open_catalog(database_url) as catalog:
        activation = catalog.request_activation(form.to_request())[0]
        queue(settings, catalog, activation, "activation-started", "", of_start(activation))
    shown = geobs("notices", activation.id[:14], "--retry")
    assert shown.exit_code == 0, shown.exception
    assert "waiting until" in shown.stdout
    assert "notification.smtp_host" in shown.stdout
    with mail_server() as box:
        monkeypatch.setenv("GEOBS_NOTIFICATION__SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("GEOBS_NOTIFICATION__SMTP_PORT", str(box.port))
        monkeypatch.setenv("GEOBS_NOTIFICATION__SENDER", "geobs@example.org")
        (notice,) = json.loads(geobs("notices", "--retry", "--json").stdout)
    assert (notice["recipient"], notice["state"]) == ("everything@example.org", "sent")
    assert box.messages[0]["Message-ID"] == f"<{notice['token']}@example.org>"
    gone = geobs("subscriptions", "--remove", str(duty["id"]))
    assert "duty@example.org" not in gone.stdout
    assert isinstance(geobs("subscriptions", "--remove", "99").exception, NotFoundError)
    assert isinstance(geobs("notices", "no-such").exception, NotFoundError)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nobody",),
        ("a@example.org", "--lat", "31"),
        ("a@example.org", "--aoi", "area.json", "--lat", "31", "--lon", "-8"),
        ("a@example.org", "--aoi", "not-there.json"),
    ],
)
def test_what_cannot_be_subscribed_to_is_refused(arguments: tuple[str, ...]) -> None:
    assert isinstance(geobs("subscribe", *arguments).exception, InputError)
    assert json.loads(geobs("subscriptions", "--json").stdout) == []
