"""What the catalogue knows of hubs: which scenes they offer, and how their transfers went."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shapely.geometry import mapping
from sqlalchemy import case, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from geobservatory.catalog.probe_tables import MeasurementRow
from geobservatory.catalog.scene_tables import DownloadRow, OfferRow, SceneRow
from geobservatory.catalog.session import Sessions
from geobservatory.globe import bounding_box
from geobservatory.hubs.federation import Answer
from geobservatory.hubs.model import Offer, Product, Scene
from geobservatory.transfer.attempt import Measurement, Outcome, outcome_of

TRANSFER, SEARCH, FIRST_BYTE = "transfer", "search", "first-byte"
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


@dataclass(frozen=True)
class Held:
    """What a hub is known to hold, with what it told of it; the checksum is ``md5:…`` or so."""

    name: str
    size: int | None
    checksum: str | None
    product_type: str | None = None


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

    def record_offers(self, offers: Sequence[Offer]) -> None:
        """Keep what one hub offers; see `record_scenes`."""
        by_name = {offer.product.name: offer for offer in offers}
        self.record_scenes([Scene(one.product, (one,)) for one in by_name.values()])

    def record_answers(self, answers: Iterable[Answer], at: datetime) -> None:
        """Keep how long hubs took to answer a search, and which failed."""
        rows = [
            {
                "at": at,
                "hub": answer.hub,
                "kind": SEARCH,
                "value": answer.seconds if answer.first_s is None else answer.first_s,
                "ok": answer.failure is None,
                "detail": _detail(answer),
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
            session.execute(insert(MeasurementRow).values(_rows(measurement, offer)))

    def transfers(
        self, since: datetime, hubs: Iterable[str], most_a_hub: int = 1500
    ) -> list[Measurement]:
        """List how transfers from some hubs went since a time, the latest of each, oldest first."""
        found: list[Measurement] = []
        with self._transaction() as session:
            for hub in hubs:
                newest = (
                    select(MeasurementRow.at, MeasurementRow.hub, MeasurementRow.detail)
                    .where(MeasurementRow.hub == hub, MeasurementRow.kind == TRANSFER)
                    .where(MeasurementRow.at >= since)
                    .order_by(MeasurementRow.at.desc())
                    .limit(most_a_hub)
                )
                found += [_measurement(*row) for row in session.execute(newest)]
        return sorted(found, key=lambda one: one.at)

    def received_bytes(self, hub: str, since: datetime, part: str | None = None) -> int:
        """Count the bytes that came from a hub since a time, all or of one kind of part."""
        total = select(func.coalesce(func.sum(DownloadRow.received_bytes), 0)).where(
            DownloadRow.hub == hub, DownloadRow.started_at >= since
        )
        if part is not None:
            total = total.where(DownloadRow.part == part)
        with self._transaction() as session:
            return int(session.execute(total).scalar_one())

    def known_offers(self, hub: str, since: datetime, until: datetime, most: int) -> list[Held]:
        """List what a hub is known to hold of what it published within some time, newest first."""
        published = func.coalesce(OfferRow.published_at, OfferRow.first_seen_at)
        wanted = (
            select(
                OfferRow.scene_name, OfferRow.size_bytes, OfferRow.checksum, SceneRow.product_type
            )
            .join(SceneRow, SceneRow.name == OfferRow.scene_name)
            .where(OfferRow.hub == hub, published >= since, published <= until)
            .order_by(published.desc())
            .limit(most)
        )
        with self._transaction() as session:
            return [Held(*row) for row in session.execute(wanted)]

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
            "checksums": dict(one.checksums),
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
                "checksums": OfferRow.checksums.op("||")(new.checksums),
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


def _rows(measurement: Measurement, offer: Offer) -> list[dict[str, Any]]:
    done = measurement.outcome is Outcome.DONE
    common = {
        "at": measurement.at,
        "hub": measurement.hub,
        "product_type": offer.product.product_type,
        "ok": done,
    }
    transfer = {
        "kind": TRANSFER,
        "value": measurement.sustained or measurement.bytes / max(measurement.seconds, 1e-3),
        "detail": {
            "name": measurement.name,
            "bytes": measurement.bytes,
            "seconds": measurement.seconds,
            "first_byte_s": measurement.first_byte_s,
            "outcome": measurement.outcome.value,
            "sustained": measurement.sustained,
        },
    }
    if not done or measurement.first_byte_s is None:
        return [common | transfer]
    first = {"kind": FIRST_BYTE, "value": measurement.first_byte_s, "detail": {}}
    return [common | transfer, common | first]


def _measurement(at: datetime, hub: str, detail: dict[str, Any]) -> Measurement:
    return Measurement(
        hub,
        detail["name"],
        at,
        detail["bytes"],
        detail["seconds"],
        detail["first_byte_s"],
        Outcome(detail["outcome"]),
        detail.get("sustained"),
    )


def _checksum(offer: Offer) -> str | None:
    for name in _PREFERRED:
        if name in offer.checksums:
            return f"{name}:{offer.checksums[name]}"
    return None


def _detail(answer: Answer) -> dict[str, Any]:
    failure = answer.failure
    said = None if failure is None else str(failure)[:500]
    cause = {} if failure is None else {"cause": outcome_of(failure).value}
    return {"found": answer.found, "failure": said, **cause}
