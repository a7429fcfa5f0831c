/** The live tail: asks for what came in, on top of the list; rests when hidden, scrolled or paused. */

const EVERY_MS = 2000;
const MOST_ROWS = 500;
let timer = 0;

export function startLiveTail() {
  const line = document.querySelector("[data-live]:not([data-ready])");
  if (!line) return;
  line.dataset.ready = "true";
  const tail = {
    line,
    list: document.querySelector("[data-event-list]"),
    body: document.querySelector("[data-live-rows]"),
    state: line.querySelector("[data-live-state]"),
    mark: line.dataset.mark,
    paused: false,
    asking: false,
    shown: 0,
    skipped: 0,
    dropped: 0,
  };
  const pause = line.querySelector("[data-live-pause]");
  pause.addEventListener("click", () => {
    tail.paused = !tail.paused;
    pause.setAttribute("aria-pressed", String(tail.paused));
    pause.textContent = tail.paused ? "Go on" : "Pause";
    if (tail.paused) say(tail, "Paused.");
    else ask(tail);
  });
  tail.list?.addEventListener("scroll", () => {
    if (tail.list.scrollTop === 0) ask(tail);
    else if (!tail.paused) say(tail, "Waiting while you read: scroll to the top to go on.");
  });
  document.addEventListener("visibilitychange", () => ask(tail));
  clearInterval(timer);
  timer = setInterval(() => ask(tail), EVERY_MS);
  ask(tail);
}

function rests(tail) {
  return tail.paused || tail.asking || document.visibilityState === "hidden" || tail.list.scrollTop > 0;
}

async function ask(tail) {
  if (!tail.line.isConnected) return clearInterval(timer);
  if (rests(tail)) return;
  tail.asking = true;
  try {
    const address = new URL(tail.line.dataset.live, location.href);
    address.searchParams.set("after", tail.mark);
    const response = await fetch(address);
    if (response.redirected) location.reload();
    else if (response.ok) take(tail, await response.text());
    else say(tail, "The server can't answer now; asking again.");
  } catch {
    say(tail, "The server does not answer; asking again.");
  } finally {
    tail.asking = false;
  }
}

function take(tail, html) {
  const found = new DOMParser().parseFromString(html, "text/html").querySelector("tbody[data-mark]");
  const fresh = [...found.children].filter((row) => !document.getElementById(row.id));
  tail.mark = found.dataset.mark;
  if (fresh.length) tail.skipped += Number(found.dataset.skipped);
  tail.shown += fresh.length;
  const rows = fresh.map((row) => document.adoptNode(row));
  tail.body.prepend(...rows);
  for (const row of rows) {
    row.classList.add("fresh");
    window.htmx.process(row);
  }
  while (tail.body.children.length > MOST_ROWS) {
    tail.body.lastElementChild.remove();
    tail.dropped += 1;
  }
  say(tail, `Live: ${number(tail.shown)} came in${beside(tail)}.`);
}

function beside(tail) {
  const told = [];
  if (tail.skipped) told.push(`about ${number(tail.skipped)} more were too many to show`);
  if (tail.dropped) told.push(`the oldest ${number(tail.dropped)} left the list`);
  return told.length ? `; ${told.join(", ")}` : "";
}

function say(tail, text) {
  if (tail.state.textContent !== text) tail.state.textContent = text;
}

function number(value) {
  return value.toLocaleString("en");
}
