// An area for a form: drawn on the map by corners or as a rectangle; or a place and a radius.
import { makeMap } from "./base.js";

const byId = (id) => document.getElementById(id);
const form = document.querySelector("form[data-area]");
const map = makeMap("map", { center: [20, 10], zoom: 2 });
const shown = L.featureGroup().addTo(map);
const [latitude, longitude, radius, area] = ["latitude", "longitude", "radius_km", "area"].map(byId);
let points = [], drawing = "";
byId("tools").hidden = false;

const where = () => form.querySelector("input[name=where]:checked")?.value;
const number = (input) => (input.value.trim() === "" ? NaN : Number(input.value.replace(",", ".")));
const round = (value) => Number(value.toFixed(5));

// Both the fields and the drawing say the area; the map shows what they say.
const show = () => {
  shown.clearLayers();
  const [lat, lon, km] = [latitude, longitude, radius].map(number);
  if (where() !== "drawn" && where() !== "earth" && Number.isFinite(lat) && Number.isFinite(lon)) {
    L.circleMarker([lat, lon], { radius: 6, className: "event", interactive: false }).addTo(shown);
    if (Number.isFinite(km)) L.circle([lat, lon], { radius: km * 1000, className: "drawn", interactive: false }).addTo(shown);
  }
  if (where() !== "circle" && where() !== "earth") {
    if (points.length) {
      L.polygon(points, { className: "drawn", interactive: false }).addTo(shown);
      for (const one of points) L.circleMarker(one, { radius: 5, className: "vertex", interactive: false }).addTo(shown);
    } else if (area.value.trim()) {
      try { L.geoJSON(JSON.parse(area.value), { style: { className: "drawn" }, interactive: false }).addTo(shown); } catch { /* being typed */ }
    }
  }
  document.body.dataset.corners = points.length;
};

const offer = () => {
  for (const part of form.querySelectorAll("[data-where]")) part.hidden = Boolean(where()) && part.dataset.where !== where();
  show();
};

const keep = () => {
  const ring = points.map((one) => [round(one.lng), round(one.lat)]);
  area.value = points.length > 2 ? JSON.stringify({ type: "Polygon", coordinates: [[...ring, ring[0]]] }) : "";
  show();
};

const turn = (kind) => {
  drawing = drawing === kind ? "" : kind;
  for (const id of ["polygon", "rectangle"]) byId(id).setAttribute("aria-pressed", drawing === id);
  byId("how").hidden = !drawing;
  map.getContainer().classList.toggle("drawing", Boolean(drawing));
  map.doubleClickZoom[drawing ? "disable" : "enable"]();
  if (drawing) { points = []; keep(); map.getContainer().focus(); }
};

let corner = null;
const take = (at) => {
  if (drawing === "polygon") {
    const closes = points.length > 2 && map.latLngToContainerPoint(points[0]).distanceTo(map.latLngToContainerPoint(at)) < 12;
    if (closes) { turn("polygon"); return; }
    points.push(at);
    keep();
  } else if (drawing === "rectangle") {
    if (!corner) { corner = at; points = [at]; show(); return; }
    const [one, other] = [corner, at];
    corner = null;
    points = [one, L.latLng(one.lat, other.lng), other, L.latLng(other.lat, one.lng)];
    keep();
    drawing = "rectangle";
    const drawn = points;
    turn("rectangle");
    points = drawn;
    keep();
  } else if (where() !== "drawn" && where() !== "earth") {
    [latitude.value, longitude.value] = [round(at.lat), round(at.wrap().lng)];
    show();
  }
};

map.on("click", (event) => take(event.latlng));
map.getContainer().addEventListener("keydown", (event) => {
  if (event.key === "Enter") { event.preventDefault(); take(map.getCenter()); }
  if (event.key === "Escape" && drawing) turn(drawing);
});
for (const id of ["polygon", "rectangle"]) byId(id).addEventListener("click", () => { corner = null; turn(id); });
byId("clear").addEventListener("click", () => { points = []; corner = null; area.value = ""; byId("file").value = ""; show(); });
for (const one of [latitude, longitude, radius]) one.addEventListener("input", show);
area.addEventListener("input", () => { points = []; show(); });
for (const one of form.querySelectorAll("input[name=where]")) one.addEventListener("change", offer);
offer();
if (shown.getLayers().length) map.fitBounds(shown.getBounds().pad(0.5), { animate: false });
