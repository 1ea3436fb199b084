// Keeps a page up to date: fetches it again and puts in what has changed, part by part.  Without this script the pages
// do the same, but for reloading.
"use strict";

const page = document.body;
const note = document.getElementById("live-note");

// Milliseconds between two looks: while something runs, while nothing does, and the most when nothing ever changes.
const BUSY_MS = 1000, IDLE_MS = 3000, MOST_MS = 30000;
const hurried = () => page.dataset.live === "busy" || page.dataset.live === "watched";
let delay = hurried() ? BUSY_MS : IDLE_MS;
let timer = 0;

// Make `now` like `next` while touching as little as possible, so that focus, open details and selections stay.
function adapt(now, next) {
  if (now.isEqualNode(next)) return false;
  const alike = now.nodeType === next.nodeType && now.nodeName === next.nodeName;
  if (!alike || now.nodeType !== Node.ELEMENT_NODE || now.id !== next.id) {
    now.replaceWith(next.cloneNode(true));
    return true;
  }
  adaptAttributes(now, next);
  const known = new Map([...now.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    const same = wanted.id && known.get(wanted.id);
    if (same && same !== place) now.insertBefore(same, place);
    const current = same || place;
    if (!current || (!same && current.id && current.id !== wanted.id)) {
      now.insertBefore(wanted.cloneNode(true), place);
      continue;
    }
    place = current.nextSibling;
    adapt(current, wanted);
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
  return true;
}

function adaptAttributes(now, next) {
  // Whether details are open, and what was typed in, is the reader's business.
  const kept = (name) => (name === "open" && now.nodeName === "DETAILS") || (name === "value" && now.nodeName === "INPUT");
  for (const { name } of [...now.attributes]) if (!next.hasAttribute(name) && !kept(name)) now.removeAttribute(name);
  for (const { name, value } of next.attributes) if (now.getAttribute(name) !== value && !kept(name)) now.setAttribute(name, value);
}

// Say each moment in the reader's own time too.  Those that a page writes out have it beside them, others when pointed at.
const here = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
function localize(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const text = here.format(new Date(time.dateTime));
    if (time.title) time.title += ` · ${text} where you are`;
    else {
      const beside = document.createElement("span");
      beside.className = "muted local";
      beside.textContent = `${text} where you are`;
      time.after(" ", beside);
    }
  }
}

async function look() {
  let changed = false;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) return location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    localize(next);
    for (const part of document.querySelectorAll("[data-live-part]")) {
      const wanted = next.getElementById(part.id);
      if (wanted) changed = adapt(part, wanted) || changed;
    }
    page.dataset.live = next.body.dataset.live || "idle";
    say("live");
    delay = hurried() ? BUSY_MS : Math.min(MOST_MS, changed ? IDLE_MS : delay * 1.5);
  } catch {
    say("The page could not be brought up to date; trying again.");
    delay = Math.min(MOST_MS, delay * 2);
  }
  // What has ended will not change any more, but for having been run again.
  if (page.dataset.live === "ended") delay = MOST_MS;
  next();
}

function say(text) {
  if (!note) return;
  note.hidden = false;
  note.textContent = text === "live" ? "This page keeps itself up to date." : text;
}

function next() {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, delay);
}

// A confirmation closes with Escape, or with a click beside it.
document.addEventListener("keydown", (event) => {
  const open = document.querySelector("details.confirm[open]");
  if (event.key === "Escape" && open) {
    open.open = false;
    open.querySelector("summary").focus();
  }
  const typing = event.target.closest && event.target.closest("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.querySelector("main input[type=search]");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  }
});
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.confirm[open]")) if (!open.contains(event.target)) open.open = false;
});

localize(document);
if (page.dataset.live) {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  next();
}
