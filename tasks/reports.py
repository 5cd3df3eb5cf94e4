"""What operators read in the Prefect UI, as Markdown."""

from shapely.geometry import shape

from geobservatory.events.model import Activation, GeohazardEvent


def activation_report(activation: Activation, size_km2: float, missing: list[str]) -> str:
    """Describe an activation: the event, the area of interest, and what is missing."""
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
    lacks = "\n".join(f"- {one}" for one in missing) or "Nothing."
    return (
        f"# {activation.id}\n\n| | |\n|---|---|\n{table}\n\n"
        f"## What is missing\n\n{lacks}\n\n"
        f"`geobs show {activation.id}` prints the same from the catalogue.\n"
    )


def map_link(event: GeohazardEvent) -> str:
    """Address of a public map of the place."""
    place = f"{event.latitude:.4f}/{event.longitude:.4f}"
    return f"https://www.openstreetmap.org/#map=9/{place}"


def _plain(text: str) -> str:
    """Take from a stranger's text what would be read as Markdown or HTML."""
    return "".join(f"\\{sign}" if sign in "|<>[]`*_\\" else sign for sign in text).strip()
