// The map under all others: outlines of the land that we serve, or tiles if the settings name some.
const { root, static: files, tiles, attribution } = document.body.dataset;

export const address = (path) => `${root}${path}`;

// What others have written is text, never markup.
export const text = (words) => {
  const span = document.createElement("span");
  span.textContent = words;
  return span;
};

const graticule = (pane) => {
  const lines = [];
  for (let lon = -180; lon <= 180; lon += 30) lines.push([[-85, lon], [85, lon]]);
  for (let lat = -60; lat <= 60; lat += 30) lines.push([[lat, -180], [lat, 180]]);
  return L.polyline(lines, { pane, className: "grid", interactive: false });
};

// Outlines over the antimeridian run on past ±180; the one about a pole is closed at the map's edge.
const unbroken = (ring) => {
  let turn = 0;
  const run = ring.map(([lon, lat], at) => {
    const step = at ? lon - ring[at - 1][0] : 0;
    if (Math.abs(step) > 180) turn -= 360 * Math.sign(step);
    return [lon + turn, Math.max(-85, Math.min(85, lat))];
  });
  const [first, last] = [run[0], run.at(-1)];
  if (Math.abs(first[0] - last[0]) < 1) return run;
  const edge = 85 * Math.sign(first[1]);
  return [...run, [last[0], edge], [first[0], edge], first];
};
const parts = ({ geometry }) => (geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates);

// Only what is in sight is drawn, and in the detail that can be seen.
const read = async (detail) => {
  const answer = await fetch(`${files}/world-${detail}.json`);
  if (!answer.ok) return [];
  const world = await answer.json();
  const rings = topojson.feature(world, world.objects.countries).features.flatMap(parts).map((part) => part.map(unbroken));
  return [-360, 0, 360].flatMap((turn) => rings.map((part) => {
    const corners = part.map((ring) => ring.map(([lon, lat]) => [lat, lon + turn]));
    return { corners, bounds: L.latLngBounds(corners[0]) };
  }));
};
const draw = (map, group, pieces) => {
  const view = map.getBounds().pad(1);
  for (const one of pieces) {
    if (one.drawn || !view.intersects(one.bounds)) continue;
    one.drawn = L.polygon(one.corners, { pane: "land", interactive: false, className: "land", smoothFactor: 1.2 }).addTo(group);
  }
};

const outlines = (map) => {
  const details = { "110m": null, "50m": null };
  const update = async () => {
    const detail = map.getZoom() < 4 ? "110m" : "50m";
    details[detail] ??= { group: L.layerGroup(), pieces: read(detail) };
    const { group, pieces } = details[detail];
    draw(map, group, await pieces);
    if (detail !== (map.getZoom() < 4 ? "110m" : "50m")) return;
    for (const one of Object.values(details)) if (one && one.group !== group) one.group.remove();
    group.addTo(map);
    document.body.dataset.land = detail;
  };
  map.on("moveend", update);
  map.whenReady(update);
};

export const makeMap = (id, options = {}) => {
  const map = L.map(id, { zoomSnap: 0.5, minZoom: 1, worldCopyJump: true, ...options });
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
  map.createPane("land").style.zIndex = 150;
  if (tiles) {
    L.tileLayer(tiles, { maxZoom: 19, attribution: text(attribution).innerHTML }).addTo(map);
  } else {
    graticule("land").addTo(map);
    outlines(map);
  }
  L.control.scale({ imperial: false }).addTo(map);
  return map;
};
