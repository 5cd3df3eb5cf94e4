// The viewer of an activation: layers as tiles, one beside another, values, profiles.
import { address, makeMap, text } from "./base.js";
import { drawLegend, drawSight } from "./legend.js";
import { startProfile } from "./profile.js";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
// Whole zooms: between them tiles would show their seams.
const map = makeMap("map", { zoomSnap: 1 });
const place = (name, layer) => address(`/activations/${data.id}/maps/${name}/${layer}`);

// Outlines and events.
const area = L.geoJSON(data.area, { interactive: false, style: { className: "area" } });
const footprint = L.layerGroup();
const passes = L.layerGroup(data.passes.filter((one) => one.footprint).map((one) =>
  L.geoJSON(one.footprint, { style: { className: "pass" } }).bindTooltip(text(one.label), { sticky: true })));
for (const event of data.events) {
  L.circleMarker([event.lat, event.lon], { radius: 7, className: "event" }).bindTooltip(text(event.title)).addTo(map);
}
for (const [id, what] of Object.entries({ area, footprint, passes })) {
  const apply = () => (byId(id).checked ? what.addTo(map) : what.remove());
  byId(id).addEventListener("change", apply);
  apply();
}
const bounds = area.getBounds();
map.fitBounds(bounds.isValid() ? bounds : [[-60, -180], [60, 180]], { animate: false });

const cornersOf = ([west, south, east, north]) => L.latLngBounds([south, west], [north, east]);
const tilesOf = (one, layer) => {
  const about = one.layers[layer];
  return L.tileLayer(`${place(one.name, layer)}/{z}/{x}/{y}.png?${one.digest}`, {
    bounds: cornersOf(about.bounds), maxNativeZoom: about.zoom, maxZoom: 18, noWrap: true, className: layer,
  });
};

let current = null, profile = null;
let told = null, last = null, resting = 0, pointer = false;
const shown = { left: null, right: null };

const clip = () => {
  const [north, south] = [map.containerPointToLayerPoint([0, 0]), map.containerPointToLayerPoint(map.getSize())];
  const share = byId("swipe").value / 100;
  const x = north.x + map.getSize().x * share;
  const both = Boolean(shown.right);
  byId("divider").style.left = `${share * 100}%`;
  const set = (layer, from, to) => {
    const container = layer?.getContainer();
    if (container) container.style.clip = both ? `rect(${north.y}px ${to}px ${south.y}px ${from}px)` : "";
  };
  set(shown.left, north.x, x);
  set(shown.right, x, south.x);
};

const chosenLayer = () => document.querySelector("input[name=layer]:checked")?.value;
const opacity = () => byId("opacity").value / 100;

const show = (fit) => {
  const one = data.maps.find((each) => each.name === byId("which").value);
  const layer = chosenLayer();
  shown.left?.remove();
  shown.left = tilesOf(one, layer).setOpacity(opacity()).addTo(map);
  shown.left.on("load", () => { document.body.dataset.shown = `${one.name}/${layer}`; });
  showRight();
  drawLegend(byId("legend"), one.layers[layer], data.colours[layer]);
  drawSight(byId("sight"), one);
  footprint.clearLayers();
  if (one.footprint) L.geoJSON(one.footprint, { interactive: false, style: { className: "footprint" } }).addTo(footprint);
  if (fit) map.fitBounds(cornersOf(one.layers[layer].bounds), { padding: [16, 16], animate: false });
  current = { one, layer };
  profile?.refresh();
  told = null;
  soon(last ?? map.getCenter());
};

const showRight = () => {
  shown.right?.remove();
  shown.right = null;
  const [name, layer] = byId("beside").value.split("/");
  if (layer) {
    const one = data.maps.find((each) => each.name === name);
    shown.right = tilesOf(one, layer).setOpacity(opacity()).addTo(map);
    shown.right.on("load", () => { document.body.dataset.beside = `${name}/${layer}`; });
  }
  for (const id of ["divider", "swipe"]) byId(id).hidden = !layer;
  clip();
};

// Which layers there are differs between maps: where nothing was unwrapped there is no motion.
const offerLayers = () => {
  const one = data.maps.find((each) => each.name === byId("which").value);
  const before = chosenLayer();
  byId("layers").replaceChildren(...Object.entries(one.layers).map(([name, about], at) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "layer", value: name });
    input.checked = before in one.layers ? name === before : at === 0;
    input.addEventListener("change", () => show(false));
    label.append(input, about.title);
    return label;
  }));
  const beside = byId("beside");
  const chosen = beside.value;
  beside.replaceChildren(new Option("nothing", ""), ...data.maps.flatMap((each) => Object.entries(each.layers).map(
    ([name, about]) => new Option(each === one ? about.title : `${about.title}: ${each.label}`, `${each.name}/${name}`))));
  beside.value = chosen;
};

// The value where the pointer rests, or in the middle for who has none.
const tell = async (at) => {
  if (!current) return;
  last = at;
  const where = `lat=${at.lat.toFixed(6)}&lon=${at.lng.toFixed(6)}`;
  const asked = `${place(current.one.name, "value")}?${where}`;
  if (asked === told) return;
  told = asked;
  const answer = await fetch(asked);
  if (!answer.ok || asked !== told) return;
  const values = await answer.json();
  const rows = [["Place", `${at.lat.toFixed(4)}, ${at.lng.toFixed(4)}`.replaceAll("-", "−")]];
  for (const [name, about] of Object.entries(current.one.layers)) {
    const value = values[name];
    rows.push([about.title, value === null || value === undefined ? "–" : `${value.toFixed(2).replace("-", "−")} ${about.unit}`.trim()]);
  }
  byId("value").replaceChildren(...rows.flatMap(([name, value]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: value }),
  ]));
};

const soon = (at) => { clearTimeout(resting); resting = setTimeout(() => tell(at), 90); };

if (data.maps.length) {
  offerLayers();
  show(true);
  profile = startProfile(map, () => current && { title: current.one.layers[current.layer].title, cyclic: current.layer === "wrapped", path: `${place(current.one.name, "profile")}?layer=${current.layer}` });
  byId("which").addEventListener("change", () => { offerLayers(); show(true); });
  byId("beside").addEventListener("change", showRight);
  byId("swipe").addEventListener("input", clip);
  byId("opacity").addEventListener("input", () => { for (const one of [shown.left, shown.right]) one?.setOpacity(opacity()); });
  map.on("move zoom resize", clip);
  map.on("mousemove", (event) => { pointer = true; soon(event.latlng); });
  map.on("moveend", () => { if (!pointer) soon(map.getCenter()); });
  map.getContainer().addEventListener("keydown", () => { pointer = false; });
}

const copy = byId("copy");
if (navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(byId("citation").textContent);
    copy.textContent = "Copied";
  });
}
