// Pages work without this file. With it they stay up to date, and times are those of the reader's own clock.
"use strict";

const main = document.getElementById("main");
const liveness = document.getElementById("liveness");

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (time.dataset.show === "clock") time.textContent = at.toLocaleTimeString([], { hour12: false });
    time.title = at.toLocaleString();
  }
}

// Replace the content with that of the server's page, but not under the reader's hands.
let again = false;
let busy = false;
function isInUse() {
  const focused = document.activeElement;
  return document.hidden || main.querySelector("input:checked[name=key]") !== null ||
    (main.contains(focused) && focused.matches("input:not([type=checkbox]), select, textarea")) || !getSelection().isCollapsed;
}

async function refresh() {
  if (busy || isInUse()) { again = true; return; }
  busy = true; again = false;
  try {
    const response = await fetch(location.href, { headers: { "X-Refresh": "1" }, redirect: "manual" });
    if (response.type === "opaqueredirect") { location.reload(); return; }
    if (!response.ok) { liveness.textContent = "Not up to date: the server says " + response.status; return; }
    const found = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("main");
    if (isInUse()) { again = true; return; }
    replace(found);
    liveness.textContent = "";
  } catch { liveness.textContent = "Not up to date: the server can’t be reached"; }
  finally { busy = false; }
}

function replace(found) {
  const open = [...main.querySelectorAll("details")].map((each) => each.open);
  const places = [...main.querySelectorAll("[tabindex]")].map((each) => [each.scrollLeft, each.scrollTop]);
  const focused = main.contains(document.activeElement) ? path(document.activeElement) : null;
  main.replaceChildren(...found.childNodes);
  main.querySelectorAll("details").forEach((each, place) => { if (place in open) each.open = open[place]; });
  main.querySelectorAll("[tabindex]").forEach((each, place) => {
    if (place in places) [each.scrollLeft, each.scrollTop] = places[place];
  });
  localise(main);
  if (focused) main.querySelector(focused)?.focus({ preventScroll: true });
}

function path(element) {
  if (element.id) return "#" + CSS.escape(element.id);
  const href = element.getAttribute("href");
  if (element.value && element.name) return `[name="${CSS.escape(element.name)}"][value="${CSS.escape(element.value)}"]`;
  return href ? `${element.localName}[href="${CSS.escape(href)}"]` : null;
}

function follow(url) {
  const events = new EventSource(url);
  events.addEventListener("changed", refresh);
  events.addEventListener("end", () => { events.close(); refresh(); });
  events.onerror = () => { if (events.readyState === EventSource.CLOSED) liveness.textContent = "Not live: reload to see changes"; };
  addEventListener("pagehide", () => events.close());
}

localise(document);
if (main.dataset.live) {
  follow(main.dataset.live);
  for (const event of ["visibilitychange", "focusout", "change", "selectionchange"])
    document.addEventListener(event, () => { if (again) setTimeout(refresh, 50); });
}
