"""`geobs users`, `tokens` and `audit` as an operator types them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from console.main import load_commands
from geobservatory.catalog.database import open_catalog
from geobservatory.errors import InputError, NotFoundError
from portal.access.passwords import matches

pytestmark = pytest.mark.one_database

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _here(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOBS_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)


def geobs(*arguments: str, said: str | None = None) -> Result:
    return CliRunner().invoke(load_commands(), list(arguments), input=said)


def users(*arguments: str, said: str | None = None) -> Result:
    return geobs("users", *arguments, said=said)


def test_accounts_from_the_first_to_the_last_day(database_url: str) -> None:
    added = users("add", "Maria", "--role", "operator", "--password-stdin", said=f"{PASSWORD}\n")
    assert added.exit_code == 0, added.exception
    assert PASSWORD not in added.output
    again = users("add", "maria", "--password-stdin", said=f"{PASSWORD}\n")
    assert isinstance(again.exception, InputError)
    (told,) = json.loads(users("list", "--json").stdout)
    assert (told["name"], told["role"]) == ("maria", "operator")
    assert "password" not in told and "maria" in users("list").stdout
    assert users("role", "maria", "reader").exit_code == 0
    assert users("role", "maria", "god").exit_code == 2
    assert users("country", "maria", "new zealand").exit_code == 0
    assert json.loads(users("list", "--json").stdout)[0]["country"] == "New Zealand"
    assert "is it Morocco" in str(users("country", "maria", "Moroco").exception)
    assert users("country", "maria").exit_code == 0
    assert json.loads(users("list", "--json").stdout)[0]["country"] is None
    new = "another long password"
    assert users("passwd", "maria", "--password-stdin", said=f"{new}\n").exit_code == 0
    assert users("disable", "maria").exit_code == 0
    with open_catalog(database_url) as catalog:
        account = catalog.account("maria")
        assert account.disabled_at is not None and matches(account.password, new)
    assert users("enable", "maria").exit_code == 0
    assert isinstance(users("disable", "nobody").exception, NotFoundError)


@pytest.mark.parametrize("password", ["", "short", "x" * 1001])
def test_passwords_that_are_none(password: str) -> None:
    refused = users("add", "maria", "--password-stdin", said=f"{password}\n")
    assert isinstance(refused.exception, InputError)
    assert password not in str(refused.exception) or not password
    # Not from a terminal, and not said where from.
    assert isinstance(users("add", "maria", said="x").exception, InputError)
    assert json.loads(users("list", "--json").stdout) == []


def test_tokens(database_url: str) -> None:
    users("add", "dora", "--password-stdin", said=f"{PASSWORD}\n")
    made = geobs("tokens", "new", "dora", "--name", "script", "--scope", "read", "--days", "9")
    secret = made.stdout.strip()
    with open_catalog(database_url) as catalog:
        found = catalog.whose_token(secret, datetime.now(UTC))
        assert found is not None and found[1].scopes == ("read",)
    whole = json.loads(geobs("tokens", "new", "dora", "--name", "x", "--json").stdout)
    assert whole["scopes"] == ["download", "read"]
    listed = geobs("tokens", "list", "--json").stdout
    assert secret not in listed and len(json.loads(listed)) == 2
    for wrong in (("--scope", "activate"), ("--scope", "all"), ("--days", "9999")):
        refused = geobs("tokens", "new", "dora", "--name", "x", *wrong)
        assert isinstance(refused.exception, InputError), wrong
    number = str(json.loads(listed)[1]["id"])
    assert geobs("tokens", "revoke", number).exit_code == 0
    with open_catalog(database_url) as catalog:
        assert catalog.whose_token(secret, datetime.now(UTC)) is None
    assert geobs("tokens", "revoke", "--all-of", "dora").stdout.count("revoked") == 1
    assert isinstance(geobs("tokens", "revoke").exception, InputError)
    assert isinstance(geobs("tokens", "revoke", "99").exception, NotFoundError)


def test_the_audit_tells_who_did_it_and_that_it_failed() -> None:
    users("add", "dora", "--password-stdin", said=f"{PASSWORD}\n")
    users("role", "nobody", "operator")
    geobs("tokens", "new", "dora", "--name", "script")
    told = json.loads(geobs("audit", "--json").stdout)
    assert [(one["action"], one["outcome"]) for one in told] == [
        ("token.new", "done"),
        ("user.role", "failed"),
        ("user.add", "done"),
    ]
    assert all("(console)" in one["who"] for one in told)
    assert PASSWORD not in str(told) and "geobs_" not in str(told)
    only = json.loads(geobs("audit", "--action", "user", "--json").stdout)
    assert len(only) == 2
    assert "user.role" in geobs("audit").stdout
    assert json.loads(geobs("audit", "--days", "0", "--json").stdout) == []
    assert "0 forgotten" in geobs("audit", "--forget-older", "1").stdout
