// A line drawn on the map, and the layer along it, read from the file by the server.
import { text } from "./base.js";

const [WIDE, HIGH, LEFT, BELOW, ABOVE] = [900, 220, 56, 34, 12];
const shape = (name, given, words) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
  if (words !== undefined) made.textContent = words;
  return made;
};

// Round steps for an axis.
const ticks = (low, high, about) => {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const first = Math.ceil(low / step - 1e-9) * step;
  return Array.from({ length: Math.floor((high - first) / step + 1e-9) + 1 }, (_, at) => first + at * step);
};
const plain = (value) => String(Number(value.toPrecision(4))).replace("-", "−");

const draw = (place, found, onPlace) => {
  const known = found.points.filter(([, , , value]) => value !== null);
  const length = found.points.at(-1)[2];
  const values = known.map((one) => one[3]);
  let [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const [x, y] = [(at) => LEFT + ((WIDE - LEFT - 10) * at) / length, (value) => ABOVE + ((HIGH - ABOVE - BELOW) * (high - value)) / (high - low)];
  const words = known.length
    ? `${found.title} along ${(length / 1000).toFixed(1)} km: from ${plain(low)} to ${plain(high)} ${found.unit}`
    : `${found.title}: nothing is known along this line`;
  const drawn = shape("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": words });
  for (const value of ticks(low, high, 4)) {
    drawn.append(shape("line", { class: "rule", x1: LEFT, x2: WIDE - 10, y1: y(value), y2: y(value) }), shape("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, plain(value)));
  }
  for (const at of ticks(0, length / 1000, 7)) drawn.append(shape("text", { x: x(at * 1000), y: HIGH - 14, "text-anchor": "middle" }, plain(at)));
  drawn.append(shape("line", { class: "axis", x1: LEFT, x2: WIDE - 10, y1: HIGH - BELOW, y2: HIGH - BELOW }), shape("text", { x: WIDE - 10, y: HIGH - 1, "text-anchor": "end" }, "km"), shape("text", { x: 4, y: 12 }, found.unit));
  let path = "", before = null;
  for (const [, , at, value] of found.points) {
    // From π on wrapped phase goes on at −π: that is no slope.
    const on = before !== null && !(found.cyclic && Math.abs(value - before) > Math.PI);
    if (value !== null) path += `${on ? "L" : "M"}${x(at).toFixed(1)},${y(value).toFixed(1)}`;
    before = value;
  }
  const mark = shape("circle", { class: "mark", r: 4, visibility: "hidden" });
  drawn.append(shape("path", { class: "curve", d: path || "M0,0" }), mark);
  drawn.addEventListener("pointermove", (event) => {
    const box = drawn.getBoundingClientRect();
    const at = ((((event.clientX - box.left) / box.width) * WIDE - LEFT) / (WIDE - LEFT - 10)) * length;
    const near = found.points.reduce((best, one) => (Math.abs(one[2] - at) < Math.abs(best[2] - at) ? one : best));
    if (near[3] !== null) for (const [key, value] of Object.entries({ cx: x(near[2]), cy: y(near[3]), visibility: "visible" })) mark.setAttribute(key, value);
    onPlace(near);
  });
  drawn.addEventListener("pointerleave", () => { mark.setAttribute("visibility", "hidden"); onPlace(null); });
  const heading = document.createElement("p");
  heading.setAttribute("role", "status");
  heading.append(text(words));
  const file = document.createElement("a");
  file.textContent = "Numbers (CSV)";
  file.setAttribute("download", "");
  file.href = found.file;
  place.replaceChildren(heading, drawn, file);
};

// `current` says of which layer: its title, and the address that gives a profile of it.
export const startProfile = (map, current) => {
  const byId = (id) => document.getElementById(id);
  const [button, clear, how, place] = ["draw", "clear", "how", "profile"].map(byId);
  const marks = L.layerGroup().addTo(map);
  const here = L.circleMarker([0, 0], { radius: 6, className: "here", interactive: false });
  let points = [], drawing = false, asked = 0;

  const redraw = () => {
    marks.clearLayers();
    if (points.length > 1) for (const className of ["line", "line-on"]) L.polyline(points, { className, interactive: false }).addTo(marks);
    for (const one of points) L.circleMarker(one, { radius: 5, className: "vertex", interactive: false }).addTo(marks);
    clear.hidden = points.length === 0;
    place.hidden = points.length < 2;
  };
  const refresh = async () => {
    redraw();
    const about = current();
    if (points.length < 2 || !about) return;
    const own = ++asked;
    const line = points.map((one) => `${one.lng.toFixed(6)},${one.lat.toFixed(6)}`).join(";");
    const address = `${about.path}&line=${encodeURIComponent(line)}`;
    const answer = await fetch(address);
    if (own !== asked) return;
    if (!answer.ok) { place.replaceChildren(text(await answer.text())); return; }
    draw(place, { ...(await answer.json()), cyclic: about.cyclic, file: `${address}&form=csv` }, (near) => {
      if (near) here.setLatLng([near[1], near[0]]).addTo(map);
      else here.remove();
    });
    document.body.dataset.profile = about.title;
  };
  const add = (at) => {
    if (points.length === 20 || points.at(-1)?.equals(at)) return;
    points.push(at);
    refresh();
  };
  const turn = (on) => {
    drawing = on;
    button.setAttribute("aria-pressed", on);
    how.hidden = !on;
    map.getContainer().classList.toggle("drawing", on);
    map.doubleClickZoom[on ? "disable" : "enable"]();
    if (on) map.getContainer().focus();
  };
  button.addEventListener("click", () => turn(!drawing));
  clear.addEventListener("click", () => { points = []; asked += 1; here.remove(); redraw(); button.focus(); });
  map.on("click", (event) => { if (drawing) add(event.latlng); });
  map.getContainer().addEventListener("keydown", (event) => {
    if (!drawing) return;
    if (event.key === "Enter") { event.preventDefault(); add(map.getCenter()); }
    if (event.key === "Escape") turn(false);
  });
  return { refresh };
};
