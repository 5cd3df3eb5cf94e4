"""Pairs: which images show an event, why, and what is still to come."""

import json
import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shapely
from shapely.affinity import translate
from shapely.geometry import shape

from geobservatory.hubs.model import Product
from geobservatory.hubs.products import make_product
from geobservatory.pairs.passes import group_passes, share
from geobservatory.pairs.score import score
from geobservatory.pairs.select import Track, Wish, choose_pairs

EVENT = datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC)
NOW = EVENT + timedelta(days=400)
AREA = shapely.box(-9.0, 30.7, -8.0, 31.4)
SLICE = shapely.box(-9.5, 30.0, -7.5, 32.0)
DAY = timedelta(days=1)


def product(
    time: datetime,
    area: shapely.Geometry = SLICE,
    *,
    track: int = 52,
    direction: str = "descending",
    mission: str = "S1A",
    crc: str = "DAA1",
    polarisation: str = "DV",
    kind: str = "IW_SLC_",
) -> Product:
    stop = time + timedelta(seconds=27)
    # A number of the right track; the relative orbit of S1A is (absolute - 73) mod 175 + 1.
    cycle = (time - datetime(2014, 4, 3, tzinfo=UTC)) // timedelta(days=12)
    orbit = 175 * cycle + track + {"S1A": 72, "S1B": 26}.get(mission, 0)
    name = (
        f"{mission}_{kind}_1S{polarisation}_{time:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_"
        f"{orbit:06d}_0609E3_{crc}"
    )
    return make_product(name, area, relative_orbit=track, direction=direction)


def wish(**changes: Any) -> Wish:
    given = {
        "area": AREA,
        "events": {"quake": EVENT},
        "until": EVENT + 60 * DAY,
        "now": NOW,
        "pre_event": False,
    }
    return Wish(**{**given, **changes})


def only(tracks: list[Track]) -> Track:
    (track,) = tracks
    return track


def cycles(*days: float, **changes: Any) -> list[Product]:
    return [product(EVENT + day * DAY, **changes) for day in days]


def test_the_closest_before_and_after_are_chosen() -> None:
    images = cycles(-28.5, -16.5, -4.5, 7.5, 19.5)
    chosen = only(choose_pairs(images, wish(alternatives=2)))
    assert chosen.waits_for == chosen.lacks == ""
    best, *others = chosen.pairs
    assert (best.reference, best.secondary) == ((images[2].name,), (images[3].name,))
    assert (best.kind, best.rank, best.spans) == ("co-event", 0, ("quake",))
    assert best.id == "co-event-052-20230904T101101-20230916T101101"
    assert "12.0 days between the images" in best.reason
    assert "4.5 days before and 7.5 days after" in best.reason
    assert [one.rank for one in others] == [1, 2]
    assert best.score > others[0].score > others[1].score


def test_hours_count_not_dates() -> None:
    """Passes of the same day, one before and one after."""
    images = [
        product(EVENT - timedelta(hours=4)),
        product(EVENT + timedelta(hours=1), mission="S1C"),
    ]
    pair = only(choose_pairs(images, wish())).pairs[0]
    assert pair.reference == (images[0].name,)
    assert "4.0 hours before and 1.0 hours after" in pair.reason


def test_an_event_during_a_pass_is_on_neither_side() -> None:
    during = product(EVENT - timedelta(seconds=10))
    images = [*cycles(-12), during, *cycles(12)]
    pair = only(choose_pairs(images, wish())).pairs[0]
    assert during.name not in (*pair.reference, *pair.secondary)


def test_a_sliver_is_not_worth_a_closer_date() -> None:
    """Passes are taken by what they cover of the area, not by how many slices they have."""
    sliver = product(EVENT + 3 * DAY, shapely.box(-9.5, 31.2, -7.5, 33.0))
    images = [*cycles(-4.5, 7.5), sliver]
    pair = only(choose_pairs(images, wish())).pairs[0]
    assert pair.secondary == (images[1].name,)
    # Cut otherwise, but as much of the area: the closer one.
    images.append(product(EVENT + 4 * DAY, shapely.box(-9.5, 30.71, -7.5, 33.0)))
    assert only(choose_pairs(images, wish())).pairs[0].secondary == (images[-1].name,)


def test_slices_are_joined_and_those_of_no_use_left_out() -> None:
    north, south = shapely.box(-9.5, 31.0, -7.5, 32.5), shapely.box(-9.5, 29.5, -7.5, 31.1)
    far = shapely.box(-9.5, 27.9, -7.5, 29.5)
    before = [
        product(EVENT - 4 * DAY + timedelta(seconds=25 * number), area)
        for number, area in enumerate((north, south, far))
    ]
    after = product(EVENT + 8 * DAY)
    pair = only(choose_pairs([*before, after], wish())).pairs[0]
    assert pair.reference == (before[0].name, before[1].name)
    assert pair.secondary == (after.name,)
    # The second image sees the north only.
    small = product(EVENT + 8 * DAY, shapely.box(-9.5, 31.15, -7.5, 32.0))
    pair = only(choose_pairs([*before, small], wish())).pairs[0]
    assert pair.reference == (before[0].name,)
    assert "the track sees 100% at best" in pair.reason


def test_what_was_processed_again_counts_once() -> None:
    first, again = product(EVENT - 4 * DAY, crc="0001"), product(EVENT - 4 * DAY, crc="0002")
    (found,) = group_passes([first, again])
    assert found.names == (again.name,)


def test_other_modes_tracks_and_polarisations_are_not_mixed() -> None:
    images = cycles(-4, 8)
    images += cycles(-2, kind="IW_GRDH") + cycles(-1, track=45)
    images += cycles(-3, polarisation="SH")
    tracks = choose_pairs(images, wish())
    assert [len(one.pairs) for one in tracks] == [0, 1]
    assert tracks[1].pairs[0].reference == (images[0].name,)


def test_satellites_are_mixed() -> None:
    images = [product(EVENT - 2 * DAY, mission="S1C"), product(EVENT + 4 * DAY, mission="S1A")]
    assert only(choose_pairs(images, wish())).pairs[0].reference == (images[0].name,)


def test_shocks_are_told_apart_where_images_allow() -> None:
    shocks = {"first": EVENT, "second": EVENT + 5 * DAY}
    images = cycles(-4, 2, 8)
    pairs = only(choose_pairs(images, wish(events=shocks))).pairs
    assert [one.spans for one in pairs] == [("first",), ("second",)]
    assert "one event alone" in pairs[0].reason
    # Without an image between them they share a pair, which says so.
    pair = only(choose_pairs([images[0], images[2]], wish(events=shocks))).pairs[0]
    assert pair.spans == ("first", "second")
    assert "2 events lie between" in pair.reason


def test_pre_event_post_event_and_chain() -> None:
    images = cycles(-28, -16, -4, 8, 20)
    names = [one.name for one in images]

    def found(**changes: Any) -> list[tuple[str, int, int]]:
        pairs = only(choose_pairs(images, wish(**changes))).pairs
        return [
            (one.kind, names.index(one.reference[0]), names.index(one.secondary[0]))
            for one in pairs
        ]

    assert found(pre_event=True) == [("co-event", 2, 3), ("pre-event", 1, 2)]
    assert found(post_event=True) == [("co-event", 2, 3), ("post-event", 3, 4)]
    assert found(chain=True) == [
        ("co-event", 2, 3), ("pre-event", 0, 1), ("pre-event", 1, 2), ("post-event", 3, 4)
    ]  # fmt: skip


def test_what_is_still_to_come_is_waited_for() -> None:
    soon = EVENT + timedelta(hours=6)
    track = only(choose_pairs(cycles(-16, -4), wish(now=soon, pre_event=True)))
    assert [one.kind for one in track.pairs] == ["pre-event"]
    assert track.waits_for == "track 52: an image from after the event"
    # A map of half the area at once, and the rest when the other slice is there.
    half = product(soon - timedelta(hours=1), shapely.box(-9.5, 31.05, -7.5, 33))
    track = only(choose_pairs([*cycles(-16, -4), half], wish(now=soon)))
    assert [one.kind for one in track.pairs] == ["co-event"]
    assert "or the other slices of 2023-09-09 03:11" in track.waits_for
    late = only(choose_pairs(cycles(-16, -4), wish(now=NOW)))
    assert late.waits_for == ""
    assert "none came until 2023-11-07" in late.lacks
    none = only(choose_pairs(cycles(4, 16), wish(now=soon)))
    assert none.lacks == "track 52: no image from before the event"


def test_a_track_that_hardly_sees_the_area_is_named_and_left() -> None:
    edge = shapely.box(-9.5, 31.38, -7.5, 33)
    track = only(choose_pairs(cycles(-4, 8, area=edge), wish()))
    assert track.pairs == ()
    assert "too little for a map" in track.lacks


def test_areas_over_the_antimeridian() -> None:
    area = shapely.MultiPolygon(
        [shapely.box(179.5, -18, 180, -17), shapely.box(-180, -18, -179.5, -17)]
    )
    images = [product(EVENT + day * DAY, shapely.box(178, -19, 182, -16)) for day in (-4, 8)]
    track = only(choose_pairs(images, wish(area=area)))
    assert track.coverage == pytest.approx(1)
    assert len(track.pairs) == 1


def test_the_order_of_the_input_does_not_matter() -> None:
    images = cycles(-28, -16, -4, 8, 20) + cycles(-27, -15, -3, 9, track=45)
    images += cycles(-22, 2, mission="S1C")
    usual = choose_pairs(images, wish(pre_event=True, alternatives=3))
    for seed in range(5):
        random.Random(seed).shuffle(images)
        assert choose_pairs(images, wish(pre_event=True, alternatives=3)) == usual


def test_scores_fall_with_time_baseline_and_gaps() -> None:
    assert score(0, 1).value == 1
    values = [score(days, 1).value for days in (6, 12, 24, 48, 400)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0.19
    assert score(12, 1, perpendicular_m=3200).value == pytest.approx(0.5 * score(12, 1).value)
    assert score(12, 1, perpendicular_m=9000).value == 0
    assert score(12, 0.5).value == pytest.approx(0.5 * score(12, 1).value)
    assert score(12, 1, days_after=10).value < score(12, 1, days_after=1).value


def test_shares_are_of_ground() -> None:
    """The northern half of a box to the pole is less ground than the southern half."""
    whole, north = shapely.box(0, 60, 10, 80), shapely.box(0, 70, 10, 80)
    sines = [math.sin(math.radians(latitude)) for latitude in (60, 70, 80)]
    truth = (sines[2] - sines[1]) / (sines[2] - sines[0])
    assert share(whole, north) == pytest.approx(truth)
    assert share(whole, north, shapely.box(0, 50, 10, 65)) == 0


def test_what_a_mission_team_chose(shared_data: Path) -> None:
    """37 earthquakes: among distractors farther off in time, or with less of the area, the same."""
    quakes = json.loads((shared_data / "pairs" / "coseismic-pairs.json").read_text())
    asked = agreed = 0
    for quake in quakes:
        before = max(_time(name) for pair in quake["pairs"] for name in pair["pre"])
        after = min(_time(name) for pair in quake["pairs"] for name in pair["post"])
        assert before < after, quake["earthquake"]
        event = before + (after - before) / 2
        for pair in quake["pairs"]:
            outline = shape(pair["product_outline"])
            images = _images(pair, outline)
            chosen = only(
                choose_pairs(
                    images,
                    Wish(
                        outline.buffer(-0.1),
                        {"quake": event},
                        event + 90 * DAY,
                        NOW,
                        pre_event=False,
                    ),
                )
            )
            best = chosen.pairs[0]
            asked += 1
            agreed += (set(best.reference), set(best.secondary)) == (
                set(pair["pre"]),
                set(pair["post"]),
            )
    assert (asked, agreed) == (99, 99)


def _time(name: str) -> datetime:
    return datetime.strptime(name[17:32], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def _images(pair: dict[str, Any], outline: shapely.Geometry) -> list[Product]:
    """Give the slices that were chosen, others whole cycles farther off, and a closer sliver."""
    direction, track = pair["direction"].lower(), pair["relative_orbit"]
    images = []
    for which, sign in (("pre", -1), ("post", 1)):
        for number, name in enumerate(sorted(pair[which])):
            # The slices of a pass lie behind each other, and overlap.
            part = _part(outline, number, len(pair[which]), direction)
            images.append(make_product(name, part, relative_orbit=track, direction=direction))
            for cycle in (1, 2):
                time = _time(name) + sign * cycle * 12 * DAY
                images.append(
                    product(time, part, track=track, direction=direction, mission=name[:3])
                )
        closer = _time(sorted(pair[which])[0]) - sign * timedelta(hours=2)
        sliver = _part(outline, 0, 3, direction)
        images.append(product(closer, sliver, track=track, direction=direction, mission="S1D"))
    return images


def _part(outline: shapely.Geometry, number: int, count: int, direction: str) -> shapely.Geometry:
    west, south, east, north = outline.bounds
    height = (north - south) / count
    place = number if direction == "ascending" else count - 1 - number
    strip = shapely.box(west, south, east, south + 1.1 * height)
    return outline.intersection(translate(strip, yoff=place * height - 0.05 * height))
