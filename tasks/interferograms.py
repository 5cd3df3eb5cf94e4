"""Tasks that make the interferogram of a pair: each a step that can be repeated at no cost."""

from pathlib import Path

from prefect import get_run_logger, task
from prefect.runtime import flow_run
from pydantic import BaseModel, ConfigDict
from shapely.geometry import shape

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.catalog.interferograms import Interferogram
from geobservatory.catalog.pairs import Pair
from geobservatory.engines import order
from geobservatory.engines.publish import files_of, is_whole, products_folder, provenance
from geobservatory.engines.registry import make_engine, require, takes_parts
from geobservatory.events.model import Activation
from geobservatory.hubs.access import Hubs
from geobservatory.insar.dem_files import have_heights
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.asked import fetch_asked
from geobservatory.sentinel1.orbit_files import choose_orbit
from geobservatory.sentinel1.safe import open_product
from tasks.policies import RETRY_TRANSIENT
from tasks.progress import shown_progress

_HOUR = 3600


class Job(BaseModel):
    """A pair of an activation, and what was asked of it."""

    model_config = ConfigDict(frozen=True)

    activation: Activation
    pair: Pair


class Images(BaseModel):
    """The slices of the two passes, as they lie on this machine."""

    model_config = ConfigDict(frozen=True)

    reference: tuple[Path, ...]
    secondary: tuple[Path, ...]


@task(**RETRY_TRANSIENT)
def open_job(activation_id: str, pair_id: str) -> Job:
    """Find a pair in the catalogue, and see that its engine can work here."""
    settings = settings_with_blocks()
    with open_configured_catalog(settings) as catalog:
        activation = catalog.activation(activation_id)
        require(order.engine_of(settings, activation.request))
        return Job(activation=activation, pair=catalog.pair(activation.id, pair_id))


@task(**RETRY_TRANSIENT, task_run_name="fetch {name}")
def fetch_image(name: str, job: Job) -> Path:
    """Bring the bursts of a product that the area needs, from the hub that has them soonest.

    All of it where the engine cannot do with a part.

    Its time is limited by the library, which knows what may take long: an order from an archive.
    """
    log, settings = get_run_logger(), settings_with_blocks()
    engine = order.engine_of(settings, job.activation.request).name
    with open_configured_catalog(settings) as catalog:
        fetched = fetch_asked(
            Hubs(settings, catalog),
            Archive(settings, catalog),
            name,
            area=shape(job.activation.request.area) if takes_parts(engine) else None,
            polarisations=(order.polarisation(job.pair),),
            said=log.info,
        )
    log.info("%s is here%s", name, f" from {fetched.hub}" if fetched.hub else " already")
    return fetched.path


@task(**RETRY_TRANSIENT, timeout_seconds=_HOUR)
def fetch_orbit(slices: tuple[Path, ...]) -> str | None:
    """Have the best orbit file there is for a pass; None where there is none yet."""
    settings = settings_with_blocks()
    chosen = choose_orbit(
        [open_product(path) for path in slices],
        order.orbit_folder(settings),
        settings.orbits.address if settings.orbits.fetch else None,
    )
    name = None if chosen.file is None else chosen.file.name
    get_run_logger().info("%s: %s", name or "no orbit file", chosen.reason)
    return name


@task(**RETRY_TRANSIENT)
def fetch_heights(job: Job) -> None:
    """Have the heights about the area in the cache."""
    settings = settings_with_blocks()
    have_heights(
        settings.dem.source,
        shape(job.activation.request.area),
        settings.data_dir / "cache",
        tiles_address=settings.dem.address,
        grids_address=settings.dem.grids_address,
    )


@task(**RETRY_TRANSIENT)
def begin(job: Job, orbits: tuple[str | None, str | None]) -> Interferogram:
    """Open the version that is to be made of these inputs, or find it made."""
    settings, asked = settings_with_blocks(), job.activation.request
    with open_configured_catalog(settings) as catalog:
        begun = catalog.begin_interferogram(
            job.activation.id,
            job.pair.id,
            order.engine_of(settings, asked).name,
            order.digest(settings, asked, job.pair, orbits),
            str(flow_run.id),
        )
        if begun.state == "complete" and not is_whole(begun, products_folder(settings.data_dir)):
            get_run_logger().warning("%s was made, but is damaged: it is made again", begun.id)
            begun = catalog.reopen_interferogram(begun.id)
        return begun


@task(**RETRY_TRANSIENT, timeout_seconds=24 * _HOUR)
def interfere(job: Job, begun: Interferogram, images: Images) -> None:
    """Make the interferogram, and write in the catalogue what came of it.

    No more are made at once than the settings say, over all processes. What a killed run finished
    is taken up.
    """
    settings = settings_with_blocks()
    products = products_folder(settings.data_dir)
    request = order.make_request(
        settings,
        job.activation.request,
        job.pair,
        images.reference,
        images.secondary,
        products / begun.folder,
    )
    with open_configured_catalog(settings) as catalog:
        with (
            catalog.reading_all((*job.pair.reference, *job.pair.secondary)),
            catalog.processing(settings.engine.concurrency),
            shown_progress(f"interferogram-{job.pair.id}") as progress,
        ):
            result = make_engine(begun.engine, settings).make(request, progress)
        about = result.item["properties"]
        paths = (*images.reference, *images.secondary)
        catalog.finish_interferogram(
            begun.id,
            result.verdict,
            quality={
                **about["geobs:quality"],
                "deformation": about["geobs:deformation"],
                "reasons": about["geobs:reasons"],
            },
            parameters=about["geobs:parameters"],
            provenance=provenance(result, paths, str(flow_run.id)),
            files=files_of(result, products),
            footprint=result.item["geometry"],
        )


@task(**RETRY_TRANSIENT)
def give_up(begun: Interferogram, reason: str) -> None:
    """Write that an interferogram could not be made, and why."""
    with open_configured_catalog(settings_with_blocks()) as catalog:
        catalog.fail_interferogram(begun.id, reason)
