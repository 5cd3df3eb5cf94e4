"""The picture of a map: that what it shows is where it is, and that nothing covers anything."""

import math
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text
from pyproj import Transformer
from shapely import box

from geobservatory.errors import InputError
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.frame import STAR, compass, degrees, frame_about, scale_bar
from geobservatory.products.layout import WIDTH, Box, Page, lay_out
from geobservatory.products.panels import Layers, make_panels
from geobservatory.products.quicklook import DPI, Legend, compose, draw_quicklook
from geobservatory.products.shade import NOTHING, hillshade, tint
from geobservatory.products.shrink import shrink, shrink_phase

GRID = MapGrid("EPSG:32637", 480_000.0, 4_400_000.0, 100.0, 400, 400)
WORDS = Legend(
    "M 7.6 EARTHQUAKE, WESTERN MOUNTAINS OF KAHRAMANMARAŞ AND SOUTH COAST, TÜRKİYE",
    (
        "Sentinel-1A, 2026-11-02 15:49 UTC to 2026-11-14 15:49 UTC, ascending, track 145, VV",
        "Usable with care: " + "only 43% of the cells with data are coherent; " * 5,
    ),
    (39.0, 39.6),
    math.radians(-10.5),
    math.radians(79.5),
    box(38.9, 39.5, 39.1, 39.7),
)


def quarters(north_west, north_east, south_west, south_east) -> np.ndarray:
    values = np.empty((400, 400), np.float32)
    values[:200, :200], values[:200, 200:] = north_west, north_east
    values[200:, :200], values[200:, 200:] = south_west, south_east
    return values


def layers_of(rows: int, cols: int) -> Layers:
    grid = MapGrid("EPSG:32637", 480_000.0, 4_400_000.0, 100.0, rows, cols)
    values = np.zeros((rows, cols), np.float32)
    return Layers(grid, values, values + 0.5, values, values + 1, values)


def colour(image: np.ndarray, page: Page, panel: Box, east: float, south: float) -> np.ndarray:
    """Middle colour (0 to 255) about a place given as shares of a panel's width and height."""
    col = round((panel.left + east * panel.width) * DPI)
    row = round((page.height - panel.bottom - (1 - south) * panel.height) * DPI)
    return np.median(image[row - 5 : row + 6, col - 5 : col + 6, :3], axis=(0, 1)) * 255


def near(found: np.ndarray, wanted) -> bool:
    return bool(np.abs(found - np.array(wanted[:3]) * 255).max() <= 1.5)


def test_colours_at_known_places_are_those_of_the_values(tmp_path):
    moved = quarters(0.2, -0.1, 0.0, np.nan)
    phase = quarters(0.0, math.pi / 2, -math.pi / 2, np.nan)
    coherence = quarters(0.0, 0.5, 1.0, np.nan)
    path = tmp_path / "quicklook.png"
    draw_quicklook(path, Layers(GRID, phase, coherence, moved), Legend("Quarters"))
    image = imread(path)
    page = lay_out(frame_about(GRID, slice(0, 400), slice(0, 400)).aspect, 1, 0)
    assert image.shape[:2] == (int(page.height * DPI), int(WIDTH * DPI))
    places = ((0.2, 0.3), (0.7, 0.3), (0.3, 0.7))
    for panel, name, shares in (
        (page.main, "RdBu_r", (1.0, 0.25, 0.5)),
        (page.panels[0], "twilight", (0.5, 0.75, 0.25)),
        (page.panels[1], "viridis", (0.0, 0.5, 1.0)),
    ):
        for (east, south), share in zip(places, shares, strict=True):
            wanted = matplotlib.colormaps[name](share)
            assert near(colour(image, page, panel, east, south), wanted), (name, share)
        assert near(colour(image, page, panel, 0.8, 0.8), to_rgb(NOTHING))
    assert [one.name for one in tmp_path.iterdir()] == ["quicklook.png"]


def test_the_star_is_where_the_event_was(tmp_path):
    back = Transformer.from_crs("EPSG:32637", "EPSG:4326", always_xy=True)
    event = back.transform(480_000 + 0.7 * 40_000, 4_400_000 - 0.25 * 40_000)
    path = tmp_path / "quicklook.png"
    draw_quicklook(path, layers_of(400, 400), Legend("Star", event=event))
    page = lay_out(frame_about(GRID, slice(0, 400), slice(0, 400)).aspect, 1, 0)
    image = imread(path)
    yellow = np.abs(image[..., :3] - np.array(to_rgb(STAR))).max(axis=2) < 0.01
    main = page.main
    for panel in (main, *page.panels):
        top = round((page.height - panel.bottom - panel.height) * DPI)
        left = round(panel.left * DPI)
        high, wide = round(panel.height * DPI), round(panel.width * DPI)
        rows, cols = np.nonzero(yellow[top : top + high, left : left + wide])
        assert rows.mean() / high == pytest.approx(0.25, abs=0.006)
        assert cols.mean() / wide == pytest.approx(0.70, abs=0.006)


def test_where_nothing_was_unwrapped_fringes_are_drawn_large():
    panels, _, _ = make_panels(replace(layers_of(40, 50), displacement_m=None))
    assert [one.caption for one in panels] == ["Wrapped phase", "Amplitude", "Coherence"]


def test_one_wild_cell_does_not_take_the_colours_of_all_others():
    moved = quarters(0.2, -0.1, 0.0, 0.1)
    moved[7, 7] = 50.0
    (main, _, _), _, _ = make_panels(Layers(GRID, moved, moved, moved))
    assert main.norm.vmax == pytest.approx(20) and main.norm.vmin == pytest.approx(-20)


def test_noise_of_a_millimetre_is_not_stretched_to_look_like_motion():
    noise = np.random.default_rng(1).normal(0, 1e-3, (400, 400)).astype(np.float32)
    (main, _, _), _, _ = make_panels(Layers(GRID, noise, noise, noise))
    assert main.norm.vmax == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (40, 50)])
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_maps_of_one_cell_one_row_or_nothing_are_drawn(tmp_path, shape, value):
    values = np.full(shape, value, np.float32)
    grid = replace(GRID, rows=shape[0], cols=shape[1])
    path = tmp_path / "quicklook.png"
    draw_quicklook(path, Layers(grid, values, values, values, values, values), WORDS)
    assert imread(path).shape[1] == WIDTH * DPI


def keys(figure: Figure) -> list[str]:
    return [
        text.get_text()
        for axes in figure.axes
        if axes.get_legend() is not None
        for text in axes.get_legend().get_texts()
    ]


def test_an_event_beyond_the_antimeridian_is_on_a_map_that_runs_over_it():
    values = np.zeros((100, 120), np.float32)
    grid = MapGrid("EPSG:4326", 179.5, -16.0, 0.01, 100, 120)
    layers = Layers(grid, values, values, values)
    assert keys(compose(layers, Legend("x", event=(-179.9, -16.5)))) == ["event", "no data"]
    away = keys(compose(layers, Legend("x", event=(-179.2, -16.5))))
    assert away == ["event: outside this map", "no data"]


@pytest.mark.parametrize("shape", [(40, 300), (200, 300), (300, 290), (330, 300), (300, 90)])
def test_no_text_covers_another_or_leaves_the_page(shape):
    figure = compose(layers_of(*shape), WORDS)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    texts = [one for one in figure.findobj(Text) if one.get_visible() and one.get_text().strip()]
    boxes = [(one.get_text(), one.get_window_extent()) for one in texts]
    assert len(boxes) > 20
    for i, (text, one) in enumerate(boxes):
        assert one.x0 >= 0 and one.y0 >= 0 and one.x1 <= width and one.y1 <= height, text
        for other, two in boxes[:i]:
            apart = one.x1 <= two.x0 or two.x1 <= one.x0 or one.y1 <= two.y0 or two.y1 <= one.y0
            assert apart, (text, other)


@pytest.mark.parametrize("aspect", [0.3, 0.5, 0.619, 0.62, 1.0, 1.25, 1.26, 2.0, 2.4])
def test_no_box_covers_another_or_leaves_the_page(aspect):
    page = lay_out(aspect, 2, 3)
    boxes = [page.main, page.main_bar, *page.panels, *page.panel_bars, page.foot]
    for i, one in enumerate(boxes):
        assert one.left >= 0 and one.bottom >= 0 and one.left + one.width <= WIDTH
        assert one.bottom + one.height <= page.height - page.heading + 1e-9
        for two in boxes[:i]:
            assert (
                one.left + one.width <= two.left
                or two.left + two.width <= one.left
                or one.bottom + one.height <= two.bottom
                or two.bottom + two.height <= one.bottom
            )
    for panel in (page.main, *page.panels):
        assert panel.height / panel.width == pytest.approx(aspect)


def test_only_where_something_is_known_is_drawn():
    values = np.full((400, 400), np.nan, np.float32)
    values[100:200, 50:150] = 1.0
    _, (left, right, bottom, top), frame = make_panels(Layers(GRID, values, values, values))
    assert (left, right) == (484_600.0, 495_400.0) and (top, bottom) == (4_390_400.0, 4_379_600.0)
    assert frame.west == pytest.approx(left) and frame.north == pytest.approx(top)


def test_a_large_map_is_made_small_before_it_is_drawn():
    values = np.random.default_rng(1).normal(size=(2001, 3400)).astype(np.float32)
    grid = replace(GRID, rows=2001, cols=3400)
    panels, (left, right, bottom, top), _ = make_panels(Layers(grid, values, values, values))
    for one in panels:
        assert one.image.shape == (667, 1134, 4)
    assert (right - left, top - bottom) == (1134 * 300.0, 667 * 300.0)


@pytest.mark.parametrize("factor", [1, 3, 7])
def test_blocks_are_means_of_what_they_hold(factor):
    rng = np.random.default_rng(2)
    values = rng.uniform(-3.1, 3.1, (500, 37)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:8, :8] = np.nan
    small, small_phase = shrink(values, factor), shrink_phase(values, factor)
    assert np.isnan(small[0, 0]) and np.isnan(small_phase[0, 0])
    for row in range(small.shape[0]):
        for col in range(small.shape[1]):
            block = values[row * factor : (row + 1) * factor, col * factor : (col + 1) * factor]
            known = block[np.isfinite(block)].astype(float)
            if not known.size:
                assert np.isnan(small[row, col]) and np.isnan(small_phase[row, col])
                continue
            assert small[row, col] == pytest.approx(known.mean(), abs=1e-5)
            off = small_phase[row, col] - np.angle(np.exp(1j * known).mean())
            assert abs(np.angle(np.exp(1j * off))) < 1e-3


def test_slopes_toward_the_light_in_the_north_west_are_brighter():
    row, col = np.indices((50, 50)).astype(np.float32)
    assert hillshade(row * 0 + 700, 100.0) == pytest.approx(1)
    rising_south_east, rising_north_west = (row + col) * 30, -(row + col) * 30
    assert (hillshade(rising_south_east, 100.0) > 1.1).all()
    assert (hillshade(rising_north_west, 100.0) < 0.7).all()


def test_without_light_colours_are_those_of_the_bar():
    colours, norm = matplotlib.colormaps["RdBu_r"], matplotlib.colors.Normalize(-1, 1)
    image = tint(np.float32([[0.5, np.nan]]), colours, norm)
    assert image[0, 0].tolist() == list(colours(0.75, bytes=True))
    assert image[0, 1].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("crs", "longitude", "latitude", "up"),
    [
        # Convergence of a transverse Mercator to first order: tan γ = tan Δλ sin φ.
        ("EPSG:32637", 41.0, 40.0, math.atan(math.tan(math.radians(2)) * math.sin(0.6981))),
        # At the north pole's stereographic, x = ρ sin λ and y = -ρ cos λ: north is at -λ.
        ("EPSG:32661", 15.0, 86.0, math.radians(15)),
    ],
)
def test_up_on_the_map_is_as_far_from_north_as_the_projection_has_it(crs, longitude, latitude, up):
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, latitude)
    frame = frame_about(MapGrid(crs, x - 500, y + 500, 100.0, 10, 10), slice(0, 10), slice(0, 10))
    assert frame.up == pytest.approx(up, abs=2e-4)


def test_a_map_in_degrees_has_the_shape_of_the_ground():
    frame = frame_about(
        MapGrid("EPSG:4326", 10.0, 60.5, 0.01, 100, 100), slice(0, 100), slice(0, 100)
    )
    # A degree of longitude at 60° is half of one at the equator, and 0.2 % more on the ellipsoid.
    assert frame.width_m == pytest.approx(55_800, rel=1e-3)
    assert frame.height_m == pytest.approx(111_412, rel=1e-3)
    assert frame.aspect == pytest.approx(111_412 / 55_800, rel=1e-3)


@pytest.mark.parametrize(("inch_m", "length", "unit"), [(6_300, 10, "km"), (290, 200, "m")])
def test_the_scale_bar_is_as_long_as_it_says(inch_m, length, unit):
    axes = Figure().add_axes((0, 0, 1, 1))
    scale_bar(axes, inch_m, 1.7)
    assert [one.get_text() for one in axes.texts] == ["0", str(length), unit]
    drawn = sum(one.get_width() for one in axes.patches)
    assert drawn * inch_m == pytest.approx(length * (1000 if unit == "km" else 1))


def test_arrows_point_where_the_satellite_flew_and_looked_on_the_map():
    axes = Figure().add_axes((0, 0, 1, 1))
    # On a map whose up is 30° east of north, flying north and looking east.
    compass(axes, 3.0, math.radians(30), 0.0, math.radians(90))
    north, flight, look = (one._posA_posB for one in axes.patches)
    for (start, end), clockwise in ((north, -30), (flight, -30), (look, 60)):
        east, up = np.subtract(end, start)
        assert math.degrees(math.atan2(east, up)) == pytest.approx(clockwise)


@pytest.mark.parametrize(
    ("value", "which", "digits", "text"),
    [(-14.5, "x", 1, "14.5°W"), (190, "x", 0, "170°W"), (180, "x", 0, "180°"), (0, "y", 0, "0°"),
     (-16.25, "y", 2, "16.25°S")],
)  # fmt: skip
def test_degrees_are_written_with_their_side(value, which, digits, text):
    assert degrees(value, which, digits) == text


def test_a_layer_of_another_shape_is_refused(tmp_path):
    wrong = replace(layers_of(40, 50), height_m=np.zeros((50, 40), np.float32))
    with pytest.raises(InputError, match="height_m"):
        draw_quicklook(tmp_path / "quicklook.png", wrong, WORDS)
    assert not list(tmp_path.iterdir())
