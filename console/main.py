"""The `geobs` command: every subcommand and the one place where errors become an exit status."""

import importlib
import logging
import sys

import typer

from geobservatory.errors import GeobservatoryError

app = typer.Typer(
    name="geobs",
    help="From an earthquake alert to a map of how the ground moved.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Command modules register themselves on `app`; they import what is heavy inside their functions,
# so that `geobs --help` answers at once.
_COMMAND_MODULES = (
    "activations", "show", "retry", "export", "watch", "pairs", "hubs", "probe", "mirror",
    "search", "fetch", "scene", "baseline", "interferogram", "engines", "notices", "users",
    "tokens", "audit", "sandbox", "portal", "up", "config", "db",
)  # fmt: skip


def load_commands() -> typer.Typer:
    """Import the command modules, each of which registers its commands on `app`."""
    for name in _COMMAND_MODULES:
        module = importlib.import_module(f"console.{name}")
        module.register(app)
    return app


def main() -> None:
    """Run `geobs`; a library error is one line on standard error and exit status 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        load_commands()()
    except GeobservatoryError as error:
        print(f"geobs: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # The reader (head, less) went away: not an error of ours.
        sys.stderr.close()
        sys.exit(0)
