"""`geobs users`: who has an account at the portal, and in which role."""

import sys
from typing import Annotated

import typer

from console.output import print_json, print_table
from geobservatory.errors import InputError
from geobservatory.settings.portal import Role

_Name = Annotated[str, typer.Argument(help="Name of the account.")]
_Role = Annotated[Role, typer.Option(help="What it may.")]
_Stdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    users = typer.Typer(help="Accounts of the portal, and their roles.", no_args_is_help=True)
    users.command()(add)
    users.command("list")(list_)
    users.command()(passwd)
    users.command()(disable)
    users.command()(enable)
    users.command()(role)
    users.command()(country)
    app.add_typer(users, name="users")


def add(
    name: _Name,
    role: _Role = Role.DOWNLOADER,
    password_stdin: _Stdin = False,
) -> None:
    """Add an account; its password is asked for.

    Example: geobs users add maria --role operator
    """
    from console.recording import recorded
    from geobservatory.catalog.accounts import account_name

    account_name(name)
    digest = _asked_for(password_stdin)
    with recorded("user.add", f"{name.lower()} {role}") as catalog:
        account = catalog.add_account(name, role, digest)
    print(f"{account.name}: {account.role}")


def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the accounts.

    Example: geobs users list
    """
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.settings import load_settings

    with open_configured_catalog(load_settings()) as catalog:
        found = [
            {
                "name": one.name,
                "role": one.role,
                "country": one.country,
                "vouched_for_by": one.subject.partition(" ")[0] if one.subject else None,
                "created_at": one.created_at,
                "disabled_at": one.disabled_at,
            }
            for one in catalog.accounts()
        ]
    if as_json:
        print_json(found)
        return
    columns = ("name", "role", "country", "vouched_for_by", "created_at", "disabled_at")
    print_table("", columns, [[one[column] for column in columns] for one in found])


def passwd(name: _Name, password_stdin: _Stdin = False) -> None:
    """Give an account another password; who is logged in by it has to log in again.

    Example: geobs users passwd maria
    """
    from console.recording import recorded

    digest = _asked_for(password_stdin)
    with recorded("user.password", name.lower()) as catalog:
        catalog.set_password(name, digest)
    print(f"{name.lower()}: its sessions have ended; `geobs tokens list {name}` shows its tokens")


def disable(name: _Name) -> None:
    """Let nobody in by an account any more: no password, no session, no token of it.

    Example: geobs users disable maria
    """
    from console.recording import recorded

    with recorded("user.disable", name.lower()) as catalog:
        catalog.disable(name, disabled=True)
    print(f"{name.lower()}: disabled; `geobs users enable {name}` lets it in again")


def enable(name: _Name) -> None:
    """Let an account in again.

    Example: geobs users enable maria
    """
    from console.recording import recorded

    with recorded("user.enable", name.lower()) as catalog:
        catalog.disable(name, disabled=False)
    print(f"{name.lower()}: enabled")


def role(name: _Name, role: Annotated[Role, typer.Argument(help="What it may.")]) -> None:
    """Give an account another role.

    Example: geobs users role maria operator
    """
    from console.recording import recorded

    with recorded("user.role", f"{name.lower()} {role}") as catalog:
        catalog.set_role(name, role)
    print(f"{name.lower()}: {role}")


def country(
    name: _Name,
    country: Annotated[
        str | None, typer.Argument(help="In English, as on the maps; none: it is not known.")
    ] = None,
) -> None:
    """Note where somebody works, for the statistics of the service.

    Example: geobs users country maria Morocco
    """
    from console.recording import recorded
    from portal.people.countries import country_named

    known = country_named(country) if country and country.strip() else None
    with recorded("user.country", f"{name.lower()} {known or ''}".strip()) as catalog:
        catalog.set_country(name, known)
    print(f"{name.lower()}: {known or 'country not known'}")


def _asked_for(from_stdin: bool) -> str:
    """Ask for a password; never an argument, which everybody on the machine sees."""
    from geobservatory.catalog.accounts import check_password
    from portal.access.passwords import hashed

    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        raise InputError("no terminal to ask for the password at; give it by --password-stdin")
    check_password(password)
    return hashed(password)
