// What the colours mean, and where the satellite looked from.
const written = (value) => (value < 0 ? `−${Math.abs(value).toFixed(Math.abs(value) < 10 ? 1 : 0)}` : value.toFixed(value < 10 ? 1 : 0));

export const drawLegend = (place, about, colours) => {
  const brush = place.querySelector("canvas").getContext("2d");
  colours.forEach((hex, at) => { brush.fillStyle = hex; brush.fillRect(at, 0, 1, 1); });
  const cyclic = about.unit === "rad" && Math.abs(about.high - Math.PI) < 1e-6 && about.title.startsWith("Wrapped");
  const [low, unit, high] = place.querySelectorAll("span");
  low.textContent = cyclic ? "−π" : written(about.low);
  high.textContent = cyclic ? "π" : written(about.high);
  unit.textContent = cyclic ? "rad; a turn is 2.8 cm" : about.unit === "cm" ? "cm, toward the satellite +" : about.unit;
};

const shape = (name, given) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
  return made;
};

// North up: the satellite looks to the right of its flight.
export const drawSight = (place, one) => {
  if (!one.toward) { place.replaceChildren(); return; }
  const look = Math.atan2(-one.toward[0], -one.toward[1]);
  const arrow = (angle, length, name) => {
    const [x, y] = [Math.sin(angle) * length, -Math.cos(angle) * length];
    const head = [0.86, 1.14].map((turn) => `${x + Math.sin(angle + Math.PI * turn) * 6},${y - Math.cos(angle + Math.PI * turn) * 6}`);
    return shape("path", { d: `M0,0L${x},${y}M${head[0]}L${x},${y}L${head[1]}`, class: name, fill: "none", "stroke-width": 2.2 });
  };
  const drawn = shape("svg", { width: 60, height: 60, viewBox: "-30 -30 60 60", role: "img", "aria-label": "Flight and look direction, north up" });
  drawn.append(arrow(look - Math.PI / 2, 25, "flight"), arrow(look, 17, "look"));
  const words = document.createElement("span");
  const degrees = Math.round(((look * 180) / Math.PI + 360) % 360);
  words.textContent = `Line of sight: ${one.direction} flight, looks right toward ${degrees}° (orange), ${one.incidence.toFixed(0)}° from the vertical`;
  place.replaceChildren(drawn, words);
};
