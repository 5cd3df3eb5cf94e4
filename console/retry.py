"""`geobs retry`: make an activation's maps again."""

from typing import Annotated

import typer

from console.output import print_json


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(retry)


def retry(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Its start is enough.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Start the flow of an activation once more; what is done is not done again.

    For maps that failed, for an activation that was withdrawn, after the settings have changed.

    Example: geobs retry earthquake-20230908
    """
    from console.respond import start_response
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.events.form import ActivationForm
    from geobservatory.settings import load_settings

    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        activation = catalog.activation(identifier)
        form = ActivationForm.from_request(activation.request)
        how = start_response(settings, activation, form, again=True)
    if as_json:
        print_json({"id": activation.id, "started": how})
        return
    print(f"{activation.id}: {how}")
