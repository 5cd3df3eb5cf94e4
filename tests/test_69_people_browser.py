"""The portal's pages in a real browser: maps, keyboard, barriers, phones, day and night."""

import json
import re
from pathlib import Path

import pytest
import rasterio
from browser import Page
from people_world import NAME, PASSWORD, World, get
from rasterio.warp import transform

from geobservatory.events.model import EventType
from geobservatory.globe import circle


def quiet(page: Page, site: World) -> None:
    """Nothing was asked of others, and nothing went wrong."""
    outside = [one for one in page.requests if not one.startswith((site.address, "data:", "blob:"))]
    assert [one for one in outside if one != "about:blank"] == []
    assert page.errors == []


def log_in(page: Page, site: World, name: str = "duty") -> None:
    page.open(f"{site.address}/login", "document.querySelector('#password')")
    page.run(
        f"document.querySelector('#name').value = '{name}';"
        f"document.querySelector('#password').value = '{PASSWORD}';"
        "document.querySelector('form').submit()"
    )
    page.wait(lambda: page.run(f"Boolean(document.body?.innerText.includes('{name}'))"))


def test_the_list_and_its_map(site: World, page: Page) -> None:
    page.look()
    kinds = [one.activation.request.event.event_type for one in site.catalog.overviews()]
    count, volcanoes = len(kinds), kinds.count(EventType.VOLCANO)
    page.open(f"{site.address}/", f"document.body.dataset.shown === '{count}'")
    assert page.run("document.title") == "Activations · geObservatory"
    assert page.run("document.querySelectorAll('path.quake').length") == count
    page.wait(lambda: page.run("document.body.dataset.land") == "110m")
    # Filters apply at once, and the address says them.
    page.run("document.querySelector('.filters').open = true")
    page.click("input[name=kind][value=volcano]")
    page.wait(lambda: page.run("document.body.dataset.shown") == str(volcanoes))
    assert page.run("location.search") == "?kind=volcano"
    said = page.run("document.querySelector('#count').innerText")
    assert re.match(rf"{volcanoes} activations? as asked for", said)
    page.click("input[name=kind][value=volcano]")
    page.wait(lambda: page.run("document.body.dataset.shown") == str(count))
    # An entry of the list and its mark are one, by keyboard too; Enter opens it.
    page.run("document.querySelector('#cards a').focus()")
    assert page.run("document.querySelectorAll('path.quake.near').length") == 1
    second = page.run("document.querySelectorAll('#cards a')[1].textContent")
    page.press("Tab")
    page.press("Enter")
    page.wait(lambda: second in (page.run("document.querySelector('h1')?.innerText") or ""))
    quiet(page, site)


def test_the_page_of_a_map(site: World, page: Page) -> None:
    page.look()
    page.open(site.page, f"document.body.dataset.shown === '{NAME}/los'")
    for layer in ("wrapped", "unwrapped", "coherence"):
        page.click(f"input[name=layer][value={layer}]")
        page.wait(lambda one=layer: page.run("document.body.dataset.shown") == f"{NAME}/{one}")
    drawn = "[...document.querySelectorAll('.leaflet-tile-loaded')].map((one) => one.naturalWidth)"
    assert 256 in page.run(drawn)
    change = "(id, value) => {{ const one = document.getElementById(id); one.value = value; " \
        "one.dispatchEvent(new Event('{}')); }}"  # fmt: skip
    page.run(f"({change.format('input')})('opacity', 40)")
    assert page.run("document.querySelector('.leaflet-layer.coherence').style.opacity") == "0.4"
    # Side by side: each picture ends at the line.
    page.run(f"({change.format('change')})('beside', '{NAME}/wrapped')")
    page.wait(lambda: page.run("document.body.dataset.beside") == f"{NAME}/wrapped")
    page.run(f"({change.format('input')})('swipe', 25)")
    clips = page.run(
        "['coherence', 'wrapped'].map((one) => document.querySelector(`.leaflet-layer.${one}`)"
        ".style.clip.match(/-?[\\d.]+/g).map(Number))"
    )
    wide = page.run("document.getElementById('map').clientWidth")
    assert clips[0][1] - clips[0][3] == pytest.approx(wide / 4, abs=1)
    assert clips[1][3] == pytest.approx(clips[0][1], abs=1)
    # The value where the pointer rests is that of the file.
    left, top, across, down = page.run(
        "(({left, top, width, height}) => [left, top, width, height])"
        "(document.getElementById('map').getBoundingClientRect())"
    )
    page.run("document.getElementById('value').replaceChildren()")
    page.move(left + across / 2, top + down / 2)
    page.wait(lambda: page.run("document.querySelectorAll('#value dd').length") == 5)
    said = page.run("[...document.querySelectorAll('#value dd')].map((one) => one.textContent)")
    lat, lon = (float(one.replace("−", "-")) for one in said[0].split(", "))
    with rasterio.open(site.made / "los_displacement.tif") as source:
        (x,), (y,) = transform("EPSG:4326", source.crs, [lon], [lat])
        row, col = source.index(x, y)
        # The place is told to 11 m, a cell has 40.
        about = source.read(1)[row - 1 : row + 2, col - 1 : col + 2] * 100
    value = float(said[1].removesuffix(" cm").replace("−", "-"))
    assert about.min() - 0.006 <= value <= about.max() + 0.006
    quiet(page, site)


def test_a_profile_by_keyboard(site: World, page: Page) -> None:
    page.look()
    page.open(site.page, f"document.body.dataset.shown === '{NAME}/los'")
    page.run("document.getElementById('draw').focus()")
    page.press("Enter")
    page.wait(lambda: page.run("document.activeElement.id") == "map")
    page.press("Enter")
    for _ in range(2):
        page.press("ArrowDown")
        settled(page)
    page.press("Enter")
    page.wait(lambda: page.run("document.body.dataset.profile") == "LOS displacement")
    words = page.run("document.querySelector('#profile svg').getAttribute('aria-label')")
    assert re.fullmatch(r"LOS displacement along [\d.]+ km: from −?[\d.]+ to −?[\d.]+ cm", words)
    assert page.run("document.querySelector('#profile .curve').getAttribute('d').length") > 200
    page.click("input[name=layer][value=coherence]")
    page.wait(lambda: page.run("document.body.dataset.profile") == "Coherence")
    page.press("Escape")
    page.click("#clear")
    assert page.run("document.getElementById('profile').hidden")
    quiet(page, site)


def settled(page: Page) -> None:
    """Wait for a map that moves to stand still."""
    where = "document.querySelector('.leaflet-map-pane').style.transform"
    before = None
    while (
        now := page.run(f"new Promise((done) => setTimeout(() => done({where}), 150))")
    ) != before:
        before = now


def test_pages_are_for_everybody(site: World, page: Page, tmp_path: Path) -> None:
    """Nothing that axe finds, no sideways scrolling, by day and by night, large and small."""
    made = site.catalog.subscribe("old@example.org", circle(-8, 31, 300_000), None)
    token = site.catalog.new_link(made.id)
    paths = {
        "list": "/?magnitude=5", "activation": f"/activations/{site.al_haouz}",
        "numbers": "/numbers?days=90", "subscribe": "/subscribe", "error": "/?page=0",
        "subscription": f"/subscriptions/{token}", "request": "/request", "hubs": "/hubs",
        "mirror": "/mirror", "login": "/login", "account": "/account",
    }  # fmt: skip
    log_in(page, site)
    for width, theme in ((1300, "light"), (390, "dark")):
        page.look(width, 900, theme)
        for name, path in paths.items():
            page.open(f"{site.address}{path}", "document.readyState === 'complete'")
            assert page.barriers() == [], (name, width, theme)
            wide = page.run("document.documentElement.scrollWidth")
            assert wide <= width, (name, width)
            page.picture(tmp_path / f"{name}-{width}-{theme}.png")
    expected = [one for one in page.errors if "400" not in one]
    assert expected == []
    page.errors.clear()
    page.call("Network.clearBrowserCookies")


def test_an_operator_draws_an_area_and_asks(site: World, page: Page) -> None:
    page.look()
    log_in(page, site)
    page.open(f"{site.address}/request", "document.body.dataset.corners === '0'")
    page.run(
        "document.getElementById('event_time').value = '2026-11-01T03:04:05';"
        "document.getElementById('name').value = 'A slope';"
        "document.getElementById('event_type').value = 'landslide';"
        "document.getElementById('polygon').click()"
    )
    # By keyboard: the middle of the map, moved on between, is taken for each corner.
    for number, key in enumerate(("ArrowRight", "ArrowDown", "ArrowLeft")):
        page.press("Enter")
        page.wait(lambda count=number + 1: page.run("document.body.dataset.corners") == str(count))
        page.press(key)
        settled(page)
    drawn = json.loads(page.run("document.getElementById('area').value"))
    assert drawn["type"] == "Polygon" and len(drawn["coordinates"][0]) == 4
    page.press("Escape")
    page.run("document.querySelector('form[data-area]').requestSubmit()")
    page.wait(lambda: page.run("document.querySelector('h1')?.innerText.includes('A slope')"))
    assert "It is recorded" in page.run("document.querySelector('[role=status]').innerText")
    identifier = page.run("location.pathname").rpartition("/")[2]
    found = site.catalog.activation(identifier)
    assert found.request.area == drawn
    assert found.request.event.source == "portal: duty"
    assert (identifier, found.request.event.name) == (site.started[-1][0], "A slope")
    assert site.started[-1][1].to_request() == found.request
    page.call("Network.clearBrowserCookies")


def test_only_operators_ask(site: World, page: Page) -> None:
    assert get(f"{site.address}/request").status_code == 401
    log_in(page, site, "reader")
    page.open(f"{site.address}/request", "document.querySelector('h1')")
    assert "operator" in page.run("document.querySelector('[role=alert]').innerText")
    assert not page.run(
        "[...document.querySelectorAll('nav a')].some((a) => a.href.endsWith('request'))"
    )
    page.errors.clear()
    page.call("Network.clearBrowserCookies")
