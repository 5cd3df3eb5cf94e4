// The viewer of an activation's page: colours the layers, and tells the value under the cursor.
"use strict";
(() => {
  const NOTHING = -32768;
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const chosen = (name) => (document.querySelector(`input[name=${name}]:checked`) || {}).value;

  const map = L.map("map", { zoomSnap: 0.25, worldCopyJump: true });
  map.attributionControl.setPrefix("Leaflet");
  L.control.scale({ imperial: false }).addTo(map);
  const base = L.tileLayer("https://tile.openstreetmap.org/{z}/{x}/{y}.png", {
    maxZoom: 19, attribution: "&copy; OpenStreetMap contributors",
  });
  const text = (words) => {
    const span = document.createElement("span");
    span.textContent = words;
    return span;
  };

  const outlines = L.layerGroup();
  const area = L.geoJSON(data.area, { style: { color: "#1c2733", weight: 1.5, dashArray: "5 4", fill: false }, interactive: false }).addTo(outlines);
  const frame = L.layerGroup().addTo(outlines);
  const passes = L.layerGroup(data.passes.map((one) =>
    L.geoJSON(one.footprint, { style: { color: "#8a5a00", weight: 1.5, fillOpacity: 0.04 } }).bindTooltip(text(one.label), { sticky: true })));
  for (const event of data.events) {
    L.circleMarker([event.lat, event.lon], { radius: 7, color: "#fff", weight: 2, fillColor: "#111", fillOpacity: 1 })
      .bindTooltip(text(event.title)).addTo(map);
  }

  // Whole numbers, 16 bits, deflated, base64.
  const unpack = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Int16Array(await new Response(stream).arrayBuffer());
  };

  const scaled = {
    displacement: (one, value) => 0.5 + (value * one.step_m) / one.limit_m / 2,
    phase: (one, value) => 0.5 + value / 64,
    coherence: (one, value) => value / 100,
  };
  const ends = {
    displacement: (one) => [`−${(one.limit_m * 100).toFixed(1)}`, "cm toward the satellite", `+${(one.limit_m * 100).toFixed(1)}`],
    phase: () => ["−π", "one turn is 2.8 cm", "π"],
    coherence: () => ["0", "coherence", "1"],
  };

  const layers = new Map();
  const layer = async (one, name) => {
    const key = `${one.folder}/${name}`;
    if (!layers.has(key)) layers.set(key, one[name] === null ? null : await unpack(one[name]));
    return layers.get(key);
  };

  const colour = (one, name, values) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [one.cols, one.rows];
    const pixels = canvas.getContext("2d").createImageData(one.cols, one.rows);
    const table = data.colours[name].map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
    values.forEach((value, at) => {
      if (value === NOTHING) return;
      const share = Math.min(1, Math.max(0, scaled[name](one, value)));
      pixels.data.set([...table[Math.round(share * 255)], 255], 4 * at);
    });
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    return canvas.toDataURL();
  };

  let image = null, present = null;
  const show = async (fit) => {
    const one = data.maps.find((each) => each.folder === chosen("map"));
    if (!one) return;
    let name = chosen("layer");
    const values = await layer(one, name);
    if (image) image.remove();
    image = null;
    present = { one, moved: await layer(one, "displacement"), phase: await layer(one, "phase"), coherence: await layer(one, "coherence") };
    if (values) {
      image = L.imageOverlay(colour(one, name, values), one.bounds, { opacity: byId("opacity").value / 100, interactive: false }).addTo(map);
    }
    frame.clearLayers();
    L.geoJSON(one.footprint, { style: { color: "#0b6c8f", weight: 1, fill: false }, interactive: false }).addTo(frame);
    legend(one, name);
    sight(one);
    if (fit) map.fitBounds(one.bounds, { padding: [12, 12] });
    document.body.dataset.shown = `${one.folder}/${name}`;
  };

  const legend = (one, name) => {
    const brush = byId("legend").querySelector("canvas").getContext("2d");
    data.colours[name].forEach((hex, at) => { brush.fillStyle = hex; brush.fillRect(at, 0, 1, 14); });
    [byId("low").textContent, byId("unit").textContent, byId("high").textContent] = ends[name](one);
  };

  // Flight and look as arrows, north up: the satellite looks to the right of its flight.
  const sight = (one) => {
    const look = Math.atan2(-one.toward[0], -one.toward[1]);
    const flight = look - Math.PI / 2;
    const arrow = (angle, length, hue) => {
      const [x, y] = [Math.sin(angle) * length, -Math.cos(angle) * length];
      const head = [0.86, 1.14].map((turn) => `${x + Math.sin(angle + Math.PI * turn) * 6},${y - Math.cos(angle + Math.PI * turn) * 6}`);
      return `<path d="M0,0L${x},${y}M${head[0]}L${x},${y}L${head[1]}" stroke="${hue}" fill="none" stroke-width="2"/>`;
    };
    byId("sight").innerHTML = `<svg width="56" height="56" viewBox="-28 -28 56 56" role="img" aria-label="Flight and look direction">${arrow(flight, 24, "#1c2733")}${arrow(look, 16, "#b2182b")}</svg>`;
    byId("sight").append(text(`${one.direction} flight; looks right (red), ${one.incidence.toFixed(0)}° from the vertical`));
  };

  const tell = (place) => {
    if (!present) return;
    const { one, moved, phase, coherence } = present;
    const [low, high] = [[one.bounds[0][0], one.bounds[0][1]], [one.bounds[1][0], one.bounds[1][1]]].map((corner) => L.CRS.EPSG3857.project(L.latLng(corner)));
    const at = L.CRS.EPSG3857.project(place);
    const col = Math.floor(((at.x - low.x) / (high.x - low.x)) * one.cols);
    const row = Math.floor(((high.y - at.y) / (high.y - low.y)) * one.rows);
    const where = `${place.lat.toFixed(4)}, ${place.lng.toFixed(4)}`;
    const inside = col >= 0 && col < one.cols && row >= 0 && row < one.rows;
    const cell = row * one.cols + col;
    const said = [where];
    if (inside && moved && moved[cell] !== NOTHING) said.push(`displacement ${(moved[cell] * one.step_m * 100).toFixed(2)} cm`);
    if (inside && phase[cell] !== NOTHING) said.push(`phase ${((phase[cell] / 64) * 2 * Math.PI).toFixed(2)} rad`);
    if (inside && coherence[cell] !== NOTHING) said.push(`coherence ${(coherence[cell] / 100).toFixed(2)}`);
    if (said.length === 1) said.push("nothing is known here");
    byId("value").textContent = said.join(" · ");
  };

  const toggled = (id, what) => {
    const apply = () => (byId(id).checked ? what.addTo(map) : what.remove());
    byId(id).addEventListener("change", apply);
    apply();
  };
  const bounds = area.getBounds();
  map.fitBounds(bounds.isValid() ? bounds : [[-60, -180], [60, 180]]);
  toggled("base", base);
  toggled("outlines", outlines);
  toggled("passes", passes);
  map.on("mousemove", (event) => tell(event.latlng));
  map.on("move", () => { if (matchMedia("(hover: none)").matches) tell(map.getCenter()); });
  byId("opacity").addEventListener("input", () => image && image.setOpacity(byId("opacity").value / 100));
  for (const input of document.querySelectorAll("input[name=map]")) input.addEventListener("change", () => show(true));
  for (const input of document.querySelectorAll("input[name=layer]")) input.addEventListener("change", () => show(false));
  show(true);
})();
