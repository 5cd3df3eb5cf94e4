"""`geobs retry` and `geobs export`: make an activation's maps again, and take them along."""

from pathlib import Path
from typing import Annotated

import typer

from console.output import print_json

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(retry)
    app.command()(export)


def retry(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Its start is enough.")],
    as_json: _Json = False,
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


def export(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Its start is enough.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to copy to; made if need be.")],
    as_json: _Json = False,
) -> None:
    """Copy an activation's page, maps and metadata to a folder, every file verified.

    Example: geobs export earthquake-20230908 --out /media/usb
    """
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.engines.publish import products_folder
    from geobservatory.products.copy import copy_activation
    from geobservatory.settings import load_settings

    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        activation = catalog.activation(identifier)
    source = products_folder(settings.data_dir) / activation.id
    copied = copy_activation(source, out / activation.id)
    if as_json:
        print_json({"folder": out / activation.id, "files": copied})
        return
    print(f"{len(copied)} files in {out / activation.id}")
    print(out / activation.id / "index.html")
