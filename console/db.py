"""`geobs db`: look after the catalogue's database."""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table
from geobservatory.errors import CatalogError, GeobservatoryError
from geobservatory.files import written_whole


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    db = typer.Typer(help="Look after the catalogue's database.", no_args_is_help=True)
    db.command()(status)
    db.command()(upgrade)
    db.command()(shell)
    db.command()(dump)
    db.command()(restore)
    app.add_typer(db, name="db")


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the database's address, versions, size and rows.

    Example: geobs db status
    """
    from geobservatory.catalog.inspect import describe

    described = describe(_url())
    if as_json:
        print_json(described)
        return
    rows = described.pop("rows")
    print_table("Catalogue", ("", ""), list(described.items()))
    print_table("Rows", ("table", "rows"), list(rows.items()))


def upgrade() -> None:
    """Bring the database to the version this program knows (done at every start as well).

    Example: geobs db upgrade
    """
    from geobservatory.catalog.database import open_catalog
    from geobservatory.catalog.migrate import newest_revision

    with open_catalog(_url()):
        print(f"the catalogue is of version {newest_revision()}")


def shell() -> None:
    """Open PostgreSQL's own shell on the catalogue.

    Example: geobs db shell
    """
    program, environment = _client("psql")
    os.execve(program, ["psql"], environment)  # noqa: S606  becomes psql, without a shell


def dump(
    file: Annotated[Path, typer.Argument(help="File to write (PostgreSQL's custom format).")],
) -> None:
    """Write the whole catalogue to a file.

    Example: geobs db dump catalogue.dump
    """
    with written_whole(file) as beside:
        _run("pg_dump", "--format=custom", "--no-owner", f"--file={beside}")
    print(f"{file}: {file.stat().st_size:,} bytes")


def restore(
    file: Annotated[Path, typer.Argument(help="File `geobs db dump` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what the catalogue holds now.")
    ] = False,
) -> None:
    """Read the whole catalogue from a file, in one transaction.

    Example: geobs db restore catalogue.dump
    """
    from geobservatory.catalog.inspect import describe

    if not file.is_file():
        raise CatalogError(f"{file}: no such file")
    held = sum(describe(_url())["rows"].values())
    if held and not replace:
        raise CatalogError(f"the catalogue holds {held} rows; --replace replaces them")
    _restore(file)
    upgrade()


def _restore(file: Path) -> None:
    """Replay a dump in one transaction, on servers older than the program that wrote it too."""
    reader, environment = _client("pg_restore")
    writer, _ = _client("psql")
    reading = subprocess.Popen(
        [reader, "--clean", "--if-exists", "--no-owner", "--file=-", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    writing = subprocess.Popen(
        [writer, "-qX", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert reading.stdout and reading.stderr and writing.stdin and writing.stderr  # noqa: S101
    with contextlib.suppress(BrokenPipeError):
        for line in reading.stdout:
            # Unknown before PostgreSQL 17; no part of what is restored.
            if line != b"SET transaction_timeout = 0;\n":
                writing.stdin.write(line)
    reading.stdout.close()
    broken = _last_words("pg_restore", reading)
    if broken and writing.poll() is None:
        # Killed before its input ends, it commits nothing.
        writing.kill()
        writing.wait()
        raise GeobservatoryError(broken)
    with contextlib.suppress(BrokenPipeError):
        writing.stdin.close()
    if failed := _last_words("psql", writing):
        raise GeobservatoryError(failed)


def _last_words(program: str, process: subprocess.Popen[bytes]) -> str | None:
    """Wait for a program; the first line of its complaint where it failed."""
    said = process.stderr.read().decode(errors="replace").strip().splitlines()  # type: ignore[union-attr]
    if process.wait() == 0:
        return None
    return f"{program} failed: {said[0] if said else 'without a word'}"


def _url() -> str:
    from geobservatory.catalog.database import catalog_url
    from geobservatory.settings import load_settings

    return catalog_url(load_settings())


def _client(program: str) -> tuple[str, dict[str, str]]:
    """Find a client program and the environment by which it finds the database.

    The password goes through the environment: arguments are seen by everybody on the machine.
    """
    from sqlalchemy import make_url

    from geobservatory.catalog.embedded import programs

    url = make_url(_url())
    where: dict[str, Any] = {
        "PGHOST": url.host or url.query.get("host"),
        "PGPORT": url.port or url.query.get("port"),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGSSLMODE": url.query.get("sslmode"),
    }
    given = {name: str(value) for name, value in where.items() if value}
    return str(programs() / program), {**os.environ, **given}


def _run(program: str, *arguments: str) -> None:
    path, environment = _client(program)
    done = subprocess.run(
        [path, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise GeobservatoryError(f"{program} failed: {said[0] if said else 'without a word'}")
