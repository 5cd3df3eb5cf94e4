// The list's map: a mark for each entry; choosing one shows the other, filters apply at once.
import { makeMap, text } from "./base.js";

const map = makeMap("map", { center: [20, 15], zoom: 2 });
const marks = L.featureGroup().addTo(map);
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

const radius = (magnitude) => (magnitude ? Math.max(5, 2 ** (Number(magnitude) - 4) + 4) : 7);

const mark = (entry) => {
  const { lat, lon, weight, magnitude } = entry.dataset;
  const link = entry.querySelector("h2 a");
  const made = L.circleMarker([Number(lat), Number(lon)], { radius: radius(magnitude), className: `quake ${weight}` });
  made.bindTooltip(text(`${magnitude ? `M ${Number(magnitude).toFixed(1)} ` : ""}${link.textContent}`));
  made.on("click", () => { location.href = link.href; });
  const near = (on) => {
    entry.classList.toggle("near", on);
    made.getElement()?.classList.toggle("near", on);
    if (on) made.bringToFront();
  };
  made.on("mouseover", () => near(true)).on("mouseout", () => near(false));
  entry.addEventListener("pointerenter", () => near(true));
  entry.addEventListener("pointerleave", () => near(false));
  link.addEventListener("focus", () => near(true));
  link.addEventListener("blur", () => near(false));
  return made.addTo(marks);
};

const show = () => {
  marks.clearLayers();
  document.querySelectorAll("#cards li").forEach(mark);
  if (marks.getLayers().length) {
    map.fitBounds(marks.getBounds().pad(0.2), { maxZoom: 5, animate: !still });
  }
  document.body.dataset.shown = marks.getLayers().length;
};

// Without this the form is sent as any other.
const found = document.getElementById("found");
let asked = 0;
const filter = async (target) => {
  const own = ++asked;
  const answer = await fetch(target);
  if (!answer.ok) { location.href = target; return; }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (own !== asked) return;
  history.replaceState(null, "", target);
  const focused = document.activeElement?.id || document.activeElement?.value;
  for (const id of ["count", "cards"]) {
    const [old, fresh] = [found.querySelector(`#${id}`), page.getElementById(id)];
    if (old && fresh) old.replaceWith(fresh);
    else if (old || fresh) { found.innerHTML = page.getElementById("found").innerHTML; listen(); break; }
  }
  const [old, fresh] = [found.querySelector(".pager"), page.querySelector(".pager")];
  if (old) old.remove();
  if (fresh && !found.querySelector(".pager")) found.append(fresh);
  if (focused) (document.getElementById(focused) || found.querySelector(`input[value="${CSS.escape(focused)}"]`))?.focus();
  show();
};

const listen = () => {
  const form = document.getElementById("filter");
  const changed = () => {
    const given = [...new FormData(form)].filter(([, value]) => value !== "");
    const query = new URLSearchParams(given);
    filter(`${form.action}${given.length ? `?${query}` : ""}`);
  };
  form.addEventListener("change", changed);
  form.addEventListener("submit", (event) => { event.preventDefault(); changed(); });
};

listen();
show();
