/** Starts the islands: keys, clock, drop boxes, and what must survive an exchange of the page. */

import { startClock } from "./clock.js";
import { startCopying } from "./copying.js";
import { startFilterBar } from "./filter_bar.js";
import { placeFindings } from "./findings.js";
import { startHistogram } from "./histogram.js";
import { startKeys } from "./keys.js";
import { startLiveTail } from "./live_tail.js";
import { startPalette } from "./palette.js";
import { startRows } from "./rows.js";
import { startSearchPage } from "./search_page.js";
import { startSqlEditor } from "./sql_editor.js";

startCopying();
startKeys();
startPalette();
startRows();

function refresh() {
  startClock();
  startFilterBar();
  startHistogram();
  startLiveTail();
  startSearchPage();
  startSqlEditor();
  placeFindings();
  fadeToasts();
}

/* Good news goes by itself; what went wrong stays until the next page. */
function fadeToasts() {
  for (const toast of document.querySelectorAll(".toast.good:not([data-seen])")) {
    toast.dataset.seen = "true";
    setTimeout(() => toast.remove(), 6000);
  }
}

refresh();
/* htmx takes hold of the page when it is parsed, which is after modules ran. */
document.addEventListener("DOMContentLoaded", () => {
  document.documentElement.dataset.ready = "true";
});
document.addEventListener("htmx:afterSettle", refresh);

document.addEventListener("htmx:configRequest", (event) => {
  if (document.visibilityState === "hidden" && event.detail.path.startsWith("/counters")) {
    event.preventDefault();
    return;
  }
  const news = document.getElementById("news");
  if (news && event.detail.path.startsWith("/counters")) {
    event.detail.parameters.known = news.dataset.known;
  }
});

let running = 0;
for (const [name, step] of [
  ["htmx:beforeRequest", 1],
  ["htmx:afterRequest", -1],
]) {
  document.addEventListener(name, (event) => {
    if (event.detail.requestConfig?.path?.startsWith("/counters")) return;
    running = Math.max(0, running + step);
    document.body.classList.toggle("loading", running > 0);
  });
}

document.addEventListener("htmx:sendError", () => {
  const box = document.createElement("div");
  box.className = "toast bad";
  box.textContent = "The server does not answer. What you see may be old.";
  document.getElementById("toasts").replaceChildren(box);
});

/* A drop box closes when one clicks beside it; only one is open at a time. */
document.addEventListener("click", (event) => {
  for (const drop of document.querySelectorAll("details[data-drop][open]")) {
    if (!drop.contains(event.target)) drop.open = false;
  }
});

document.addEventListener("toggle", (event) => {
  if (event.target.matches?.("details[data-drop]") && event.target.open) {
    event.target.querySelector(".drop-box :is(input:not([type=hidden]), select, textarea, button)")?.focus();
  }
}, true);

