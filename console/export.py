"""`geobs export`: take maps along, as they are or written for another program."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from console.output import print_json

Form = Literal["dimap", "gamma", "mintpy", "licsbas", "kite"]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(export)


def export(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="An activation, or with --as a pair, a map, or a folder of maps."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made if need be.")],
    form: Annotated[
        Form | None,
        typer.Option("--as", help="The program that is to read it; else the files are copied."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Copy an activation's page, maps and metadata to a folder, every file verified.

    With --as, its maps are written for another program: dimap for SNAP (BEAM-DIMAP), gamma, mintpy,
    licsbas, kite. ID may then be a pair as well (`geobs show` lists them), or a folder that
    `geobs interferogram` made, or one that holds several such; the start of a name is enough.

    Example: geobs export earthquake-20230908 --out /media/usb

    Example: geobs export earthquake-20230908 --as mintpy --out series
    """
    if form is not None:
        _export_as(identifier, form, out, as_json)
        return
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


def _export_as(identifier: str, form: Form, out: Path, as_json: bool) -> None:
    """Write maps for another program."""
    from geobservatory.errors import GeobservatoryError
    from geobservatory.products.formats.export import export_maps

    name, maps = _find_maps(identifier)
    folder = out / f"{name}-{form}"
    try:
        done = export_maps(maps, form, folder, _tell)
    except OSError as error:
        raise GeobservatoryError(f"{folder}: cannot be written: {error}") from error
    if as_json:
        print_json({"folder": folder, "files": done.files, "left_out": done.left_out})
        return
    for one, reason in done.left_out.items():
        print(f"left out {one}: {reason}")
    print(f"{len(done.files)} files in {folder}")


def _find_maps(identifier: str) -> tuple[str, list[Any]]:
    """Find the maps that an identifier or a folder means, and a name for all of them."""
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.engines.publish import products_folder
    from geobservatory.errors import InputError, NotFoundError
    from geobservatory.products.formats.made_map import maps_in, open_map
    from geobservatory.settings import load_settings

    folder = Path(identifier)
    if folder.is_dir():
        return folder.resolve().name, maps_in(folder)
    settings = load_settings()
    products = products_folder(settings.data_dir)
    with open_configured_catalog(settings) as catalog:
        found = catalog.find_interferograms(identifier)
        try:
            activation = catalog.activation(identifier)
        except NotFoundError:
            if not found:
                raise
        else:
            made = catalog.interferograms(activation.id)
            newest = [one for one in made if one.state == "complete"]
            if not newest:
                raise NotFoundError(
                    f"{activation.id} has no maps yet; `geobs show {activation.id}` says why"
                )
            return activation.id, [open_map(products / one.folder) for one in newest]
    if len(found) > 1:
        names = ", ".join(one.id for one in found)
        raise InputError(f"{identifier} is more than one map: {names}; say more of it")
    made_map = open_map(products / found[0].folder)
    return made_map.name, [made_map]


def _tell(what: str, share: float) -> None:
    print(f"{share:4.0%} {what}", file=sys.stderr, flush=True)
