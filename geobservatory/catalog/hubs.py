"""What the catalogue knows of hubs: which scenes they offer, and how their transfers went."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shapely.geometry import mapping
from sqlalchemy import case, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from geobservatory.catalog.session import Sessions
from geobservatory.catalog.tables import DownloadRow, MeasurementRow, OfferRow, SceneRow
from geobservatory.globe import bounding_box
from geobservatory.hubs.federation import Answer
from geobservatory.hubs.model import Offer, Product, Scene
from geobservatory.transfer.attempt import Measurement, Outcome

TRANSFER, SEARCH = "transfer", "search"
_CHUNK = 500
# The one that is recorded of several checksums.
_PREFERRED = ("blake3", "sha256", "md5")


@dataclass(frozen=True)
class Health:
    """How a hub did: how often it was asked, how often that went well, and when last."""

    asked: int
    well: int
    last_well: datetime | None
    last_failed: datetime | None


class HubQueries(Sessions):
    """The part of the catalogue that is about hubs."""

    def record_scenes(self, scenes: Sequence[Scene], flow_run_id: str | None = None) -> None:
        """Keep what a search found; what was known is brought up to date."""
        # In one order everywhere: two who record the same scenes do not wait for each other.
        ordered = sorted(scenes, key=lambda one: one.product.name)
        for start in range(0, len(ordered), _CHUNK):
            chunk = ordered[start : start + _CHUNK]
            offers = [offer for scene in chunk for offer in scene.offers]
            with self._transaction() as session:
                _keep_products(session, [scene.product for scene in chunk], flow_run_id)
                _keep_offers(session, offers, flow_run_id)

    def record_answers(self, answers: Iterable[Answer], at: datetime) -> None:
        """Keep how long hubs took to answer a search, and which failed."""
        rows = [
            {
                "at": at,
                "hub": answer.hub,
                "kind": SEARCH,
                "value": answer.seconds,
                "ok": answer.failure is None,
                "detail": {"found": answer.found, "failure": _text(answer.failure)},
            }
            for answer in answers
        ]
        if rows:
            with self._transaction() as session:
                session.execute(insert(MeasurementRow), rows)

    def record_transfer(
        self, offer: Offer, measurement: Measurement, part: str = "", error: str | None = None
    ) -> None:
        """Keep how a try to fetch a product, or a part of it, went."""
        done = measurement.outcome is Outcome.DONE
        download = {
            "scene_name": offer.product.name,
            "hub": offer.hub,
            "part": part,
            "state": "complete" if done else "failed",
            "received_bytes": measurement.bytes,
            "total_bytes": measurement.bytes if done else None,
            "started_at": measurement.at,
            "ended_at": func.clock_timestamp(),
            "error": error,
        }
        with self._transaction() as session:
            _keep_products(session, [offer.product], None)
            session.execute(insert(DownloadRow).values(download))
            session.execute(insert(MeasurementRow).values(_row(measurement, offer)))

    def transfers(self, since: datetime, most_a_hub: int = 500) -> list[Measurement]:
        """List how transfers went since a time, the latest of each hub, oldest first."""
        newest = func.row_number().over(
            partition_by=MeasurementRow.hub, order_by=MeasurementRow.at.desc()
        )
        ranked = (
            select(MeasurementRow, newest.label("number"))
            .where(MeasurementRow.kind == TRANSFER, MeasurementRow.at >= since)
            .subquery()
        )
        wanted = select(ranked.c.at, ranked.c.hub, ranked.c.detail)
        wanted = wanted.where(ranked.c.number <= most_a_hub).order_by(ranked.c.at)
        with self._transaction() as session:
            return [_measurement(*row) for row in session.execute(wanted)]

    def received_bytes(self, hub: str, since: datetime) -> int:
        """Count the bytes that came from a hub since a time, for its quota."""
        total = select(func.coalesce(func.sum(DownloadRow.received_bytes), 0)).where(
            DownloadRow.hub == hub, DownloadRow.started_at >= since
        )
        with self._transaction() as session:
            return int(session.execute(total).scalar_one())

    def health(self, since: datetime) -> dict[str, Health]:
        """Tell how hubs did since a time, in searches and transfers; those that were asked."""
        good = case((MeasurementRow.ok, 1), else_=0)
        asked = (
            select(
                MeasurementRow.hub,
                func.count(),
                func.sum(good),
                func.max(case((MeasurementRow.ok, MeasurementRow.at))),
                func.max(case((~MeasurementRow.ok, MeasurementRow.at))),
            )
            .where(MeasurementRow.kind.in_((TRANSFER, SEARCH)), MeasurementRow.at >= since)
            .group_by(MeasurementRow.hub)
        )
        with self._transaction() as session:
            return {hub: Health(*rest) for hub, *rest in session.execute(asked)}


def _keep_products(session: Session, products: Sequence[Product], flow_run: str | None) -> None:
    rows = {one.name: _scene(one, flow_run) for one in products}
    if not rows:
        return
    statement = upsert(SceneRow).values(list(rows.values()))
    new = statement.excluded
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[SceneRow.name],
            # A hub that tells less takes nothing away of what another told.
            set_={
                "relative_orbit": func.coalesce(new.relative_orbit, SceneRow.relative_orbit),
                "direction": func.coalesce(new.direction, SceneRow.direction),
            },
        )
    )


def _keep_offers(session: Session, offers: Sequence[Offer], flow_run: str | None) -> None:
    rows = {
        (one.product.name, one.hub): {
            "scene_name": one.product.name,
            "hub": one.hub,
            "hub_id": one.id,
            "published_at": one.published,
            "online": one.online,
            "size_bytes": one.size,
            "checksum": _checksum(one),
            "flow_run_id": flow_run,
        }
        for one in offers
    }
    if not rows:
        return
    statement = upsert(OfferRow).values([rows[key] for key in sorted(rows)])
    new = statement.excluded
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[OfferRow.scene_name, OfferRow.hub],
            set_={
                "hub_id": new.hub_id,
                "last_seen_at": func.now(),
                "published_at": func.coalesce(new.published_at, OfferRow.published_at),
                "online": func.coalesce(new.online, OfferRow.online),
                "size_bytes": func.coalesce(new.size_bytes, OfferRow.size_bytes),
                "checksum": func.coalesce(new.checksum, OfferRow.checksum),
            },
        )
    )


def _scene(product: Product, flow_run: str | None) -> dict[str, Any]:
    west, south, east, north = bounding_box(product.footprint)
    return {
        "name": product.name,
        "mission": product.mission,
        "product_type": product.product_type,
        "start_time": product.start,
        "stop_time": product.stop,
        "relative_orbit": product.relative_orbit,
        "absolute_orbit": product.absolute_orbit,
        "direction": product.direction,
        "polarisations": " ".join(product.polarisations),
        "footprint": mapping(product.footprint),
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "flow_run_id": flow_run,
    }


def _row(measurement: Measurement, offer: Offer) -> dict[str, Any]:
    done = measurement.outcome is Outcome.DONE
    return {
        "at": measurement.at,
        "hub": measurement.hub,
        "kind": TRANSFER,
        "product_type": offer.product.product_type,
        "value": measurement.bytes / max(measurement.seconds, 1e-3),
        "ok": done,
        "detail": {
            "name": measurement.name,
            "bytes": measurement.bytes,
            "seconds": measurement.seconds,
            "first_byte_s": measurement.first_byte_s,
            "outcome": measurement.outcome.value,
        },
    }


def _measurement(at: datetime, hub: str, detail: dict[str, Any]) -> Measurement:
    return Measurement(
        hub,
        detail["name"],
        at,
        detail["bytes"],
        detail["seconds"],
        detail["first_byte_s"],
        Outcome(detail["outcome"]),
    )


def _checksum(offer: Offer) -> str | None:
    for name in _PREFERRED:
        if name in offer.checksums:
            return f"{name}:{offer.checksums[name]}"
    return None


def _text(failure: Exception | None) -> str | None:
    return None if failure is None else str(failure)[:500]
