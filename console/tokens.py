"""`geobs tokens`: tokens of the portal's accounts, for programs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from console.output import print_json, print_table
from geobservatory.errors import InputError

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    tokens = typer.Typer(help="Tokens of the portal, for programs.", no_args_is_help=True)
    tokens.command()(new)
    tokens.command("list")(list_)
    tokens.command()(revoke)
    app.add_typer(tokens, name="tokens")


def new(
    account: Annotated[str, typer.Argument(help="Whose.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, download, activate; all of its role.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Until it expires.")] = 90,
    as_json: _Json = False,
) -> None:
    """Make a token and print it, this once.

    Example: geobs tokens new maria --name "nightly script" --scope read --scope download
    """
    from console.recording import recorded
    from geobservatory.settings import load_settings
    from portal.access.identity import Scope, scopes_of

    longest = load_settings().portal.limits.token_days
    if days > longest:
        raise InputError(f"a token lives {longest} days at most (portal.limits.token_days)")
    for one in scope or ():
        if one not in list(Scope):
            raise InputError(f"no scope {one}; the scopes are {', '.join(Scope)}")
    with recorded("token.new", f"{account.lower()} {name}") as catalog:
        owner = catalog.account(account)
        allowed = scopes_of(owner.role)
        beyond = sorted(set(scope or ()) - allowed)
        if beyond:
            raise InputError(f"{owner.name} is {owner.role}, which may not {', '.join(beyond)}")
        expires = datetime.now(UTC) + timedelta(days=days)
        token, secret = catalog.new_token(owner.id, name, scope or sorted(allowed), expires)
    if as_json:
        print_json({**vars(token), "token": secret})
        return
    print(secret)


def list_(
    account: Annotated[str | None, typer.Argument(help="Only those of this account.")] = None,
    as_json: _Json = False,
) -> None:
    """List tokens; what they are is known to their holders only.

    Example: geobs tokens list maria
    """
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.settings import load_settings

    with open_configured_catalog(load_settings()) as catalog:
        found = catalog.tokens(account)
    if as_json:
        print_json([vars(one) for one in found])
        return
    print_table(
        "",
        ("id", "account", "name", "begins", "scopes", "until", "last used", "revoked"),
        [
            (
                one.id,
                one.account,
                one.name,
                one.start,
                " ".join(one.scopes),
                f"{one.expires_at:%F}",
                one.used_at and f"{one.used_at:%F %H:%M}",
                one.revoked_at and f"{one.revoked_at:%F %H:%M}",
            )
            for one in found
        ],
    )


def revoke(
    identifier: Annotated[int | None, typer.Argument(help="Number of the token.")] = None,
    of: Annotated[str | None, typer.Option("--all-of", help="All of an account.")] = None,
) -> None:
    """Make a token worth nothing, or all of an account.

    Example: geobs tokens revoke 7
    """
    from console.recording import recorded

    if (identifier is None) == (of is None):
        raise InputError("name a token by its number, or an account by --all-of")
    with recorded("token.revoke", of or str(identifier)) as catalog:
        if of is None:
            numbers = [identifier]
        else:
            owner = catalog.account(of)
            numbers = [one.id for one in catalog.tokens(owner.name) if one.revoked_at is None]
        for number in numbers:
            assert number is not None  # noqa: S101  one of both was given
            token = catalog.revoke_token(number)
            print(f"{token.id} {token.name} of {token.account}: revoked")
