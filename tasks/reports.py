"""What operators read in the Prefect UI: the event, images and pairs with reasons, maps, passes."""

import base64
import io
from pathlib import Path

import matplotlib.image
from prefect import task
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from shapely.geometry import shape

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.catalog.interferograms import Interferogram
from geobservatory.engines.publish import products_folder
from geobservatory.events.model import Activation, GeohazardEvent
from geobservatory.globe import area_km2
from tasks.pairs import Plan
from tasks.policies import RETRY_TRANSIENT
from tasks.scenes import HubAnswer

# A picture in an artifact travels in Prefect's database: a small one, the whole is in the folder.
_PICTURE_COLS = 900


@task(**RETRY_TRANSIENT)
def report_event(activation: Activation) -> None:
    """Leave what is known of the event and what is asked for."""
    create_markdown_artifact(
        event_report(activation, area_km2(activation.request.area)),
        key=_key("activation", activation),
        description=f"What is known of {activation.id}",
    )
    create_link_artifact(map_link(activation.request.event), link_text="the place on a map")


@task(**RETRY_TRANSIENT)
def report_plan(activation: Activation, answers: tuple[HubAnswer, ...], plan: Plan) -> None:
    """Leave what hubs answered, which pairs were chosen and why, and which passes come next."""
    create_table_artifact(
        [
            {
                "track": pair.relative_orbit,
                "direction": pair.direction,
                "kind": pair.kind if pair.rank == 0 else f"{pair.kind}, alternative",
                "reference": f"{pair.reference_time:%Y-%m-%d %H:%M}",
                "secondary": f"{pair.secondary_time:%Y-%m-%d %H:%M}",
                "slices": f"{len(pair.reference)} and {len(pair.secondary)}",
                "why": pair.reason,
            }
            for track in plan.tracks
            for pair in track.pairs
        ],
        key=_key("pairs", activation),
        description="Pairs that were chosen, the next best, and why",
    )
    create_table_artifact(
        [
            {
                "time, UTC": f"{one.time:%Y-%m-%d %H:%M}",
                "track": one.relative_orbit,
                "direction": one.direction,
                "satellite": one.mission,
                "sees of the area": f"{one.coverage:.0%}",
                "slices": ", ".join(one.slices),
            }
            for one in plan.scenes
        ],
        key=_key("scenes", activation),
        description="Images over the area, before and after",
    )
    create_table_artifact(
        [
            {
                "track": track.relative_orbit,
                "direction": track.direction,
                "sees of the area": f"{track.coverage:.0%}",
                "waits for": track.waits_for or "–",
                "lacks": track.lacks or "–",
            }
            for track in plan.tracks
        ],
        key=_key("tracks", activation),
        description="Tracks over the area, and what each still waits for",
    )
    create_table_artifact(
        [
            {
                "hub": one.hub,
                "products": one.found,
                "seconds": round(one.seconds, 1),
                "failure": one.failure or "–",
            }
            for one in answers
        ],
        key=_key("hubs", activation),
        description="What the hubs answered",
    )
    if plan.passes:
        create_table_artifact(
            [
                {
                    "time, UTC": f"{one.time:%Y-%m-%d %H:%M}",
                    "track": one.relative_orbit,
                    "direction": one.direction,
                    "satellite": one.mission,
                    "sees of the area": f"{one.coverage:.0%}",
                    "taken of late": f"{one.taken} of {one.cycles} cycles",
                }
                for one in plan.passes
            ],
            key=_key("passes", activation),
            description="The next passes over the area",
        )


@task(**RETRY_TRANSIENT)
def report_results(activation: Activation, page: Path) -> None:
    """Leave the maps: a picture and a line of each, and where the page is."""
    settings = settings_with_blocks()
    with open_configured_catalog(settings) as catalog:
        made = [one for one in catalog.interferograms(activation.id) if one.state == "complete"]
    for one in made:
        picture = one.files.get("quicklook")
        if picture is not None:
            create_image_artifact(
                image_url=_small(products_folder(settings.data_dir) / picture.path),
                key=_key("map", activation, one.pair_id),
                description=f"{one.pair_id}: {one.verdict}",
            )
    create_markdown_artifact(
        results_report(activation, made, page),
        key=_key("maps", activation),
        description="The maps, and where they are",
    )


def event_report(activation: Activation, size_km2: float) -> str:
    """Describe an activation: the event and the area of interest, as Markdown."""
    event = activation.request.event
    west, south, east, north = shape(activation.request.area).bounds
    rows = [
        ("Event", f"{event.event_type}, {event.time:%Y-%m-%d %H:%M:%S} UTC"),
        ("Name", _plain(event.name) or "–"),
        ("Place", f"{event.latitude:.3f}° N, {event.longitude:.3f}° E"),
        ("Magnitude", "–" if event.magnitude is None else f"{event.magnitude:.1f}"),
        ("Depth", "–" if event.depth_km is None else f"{event.depth_km:.0f} km"),
        ("Reported by", _plain(f"{event.source} {event.source_id or ''}")),
        (
            "Area",
            f"{size_km2:,.0f} km², {south:.2f} to {north:.2f}° N, {west:.2f} to {east:.2f}° E",
        ),
        ("Tracks", ", ".join(map(str, activation.request.tracks)) or "all"),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return (
        f"# {activation.id}\n\n| | |\n|---|---|\n{table}\n\n"
        f"`geobs show {activation.id}` prints the same, and what became of it, from the "
        "catalogue.\n"
    )


def results_report(activation: Activation, made: list[Interferogram], page: Path) -> str:
    """List the maps of an activation, as Markdown."""
    lines = [f"# Maps of {activation.id}", "", f"The page: `{page}`", ""]
    lines += ["| map | verdict | moved toward | moved away | version |", "|---|---|---|---|---|"]
    for one in made:
        found = one.quality.get("deformation") or {}
        toward, away = (_centimetres(found.get(name)) for name in ("highest_m", "lowest_m"))
        if not found.get("detected"):
            toward = away = "nothing"
        lines.append(f"| {one.pair_id} | {one.verdict} | {toward} | {away} | {one.version} |")
    return "\n".join(lines) + "\n"


def map_link(event: GeohazardEvent) -> str:
    """Address of a public map of the place."""
    place = f"{event.latitude:.4f}/{event.longitude:.4f}"
    return f"https://www.openstreetmap.org/#map=9/{place}"


def _key(kind: str, activation: Activation, more: str = "") -> str:
    """Name an artifact: lower-case letters, digits and dashes."""
    return f"{kind}-{activation.id}{'-' if more else ''}{more}".lower()


def _small(picture: Path) -> str:
    """Give a picture as an address that holds all of it."""
    image = matplotlib.image.imread(picture)
    step = max(1, -(-image.shape[1] // _PICTURE_COLS))
    rows, cols = image.shape[0] // step * step, image.shape[1] // step * step
    blocks = image[:rows, :cols].reshape(rows // step, step, cols // step, step, -1)
    content = io.BytesIO()
    matplotlib.image.imsave(
        content, blocks.mean((1, 3))[..., :3], format="jpeg", pil_kwargs={"quality": 80}
    )
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def _centimetres(metres: float | None) -> str:
    return "–" if metres is None else f"{metres * 100:+.0f} cm"


def _plain(text: str) -> str:
    """Take from a stranger's text what would be read as Markdown or HTML."""
    return "".join(f"\\{sign}" if sign in "|<>[]`*_\\" else sign for sign in text).strip()
