/** The keyboard: every action has a letter, g and a letter leads to a page. */

import { openPalette } from "./palette.js";
import { currentRow, markRow, moveRow } from "./rows.js";

let waitsForPlace = 0;

export function startKeys() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-open-help]")) openHelp();
  });
}

function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, dialog[open]");
  if (event.key === "Escape") {
    escape(event, isTyping);
    return;
  }
  if (isTyping) return;
  if (waitsForPlace && Date.now() - waitsForPlace < 1500) {
    waitsForPlace = 0;
    const place = document.querySelector(`a[data-go="${CSS.escape(event.key)}"]`);
    if (place) {
      event.preventDefault();
      place.click();
    }
    return;
  }
  const act = ACTIONS[event.key] ?? pressOnPage(event.key);
  if (act && act(event) !== false) event.preventDefault();
}

const ACTIONS = {
  j: () => moveRow(1),
  k: () => moveRow(-1),
  x: () => markRow(),
  a: () => press("a"),
  c: () => press("c"),
  e: () => press("e"),
  s: () => press("s"),
  g: () => {
    waitsForPlace = Date.now();
  },
  "/": () => {
    const field = document.querySelector('[data-key="/"]');
    field?.focus();
    field?.select?.();
  },
  "?": () => openHelp(),
  Enter: (event) => {
    if (event.target.closest?.("a, button, summary, input")) return false;
    const link = currentRow()?.querySelector("a.row-link");
    link?.click();
    return Boolean(link);
  },
};

/** The letter of an action: for the marked rows when there are some, else for what is open. */
function press(letter) {
  const marked = document.querySelector('[data-rows] tbody input[name="id"]:checked');
  if (marked) {
    document.querySelector(`[data-bulk-key="${letter}"]`)?.click();
    return;
  }
  const action = document.querySelector(`[data-action-key="${letter}"]`);
  if (action) {
    action.click();
    return;
  }
  const row = currentRow();
  const box = row?.querySelector('input[name="id"]');
  if (box) {
    box.click();
    document.querySelector(`[data-bulk-key="${letter}"]`)?.click();
  }
}

/** A letter that only this page knows: it presses a button or link, or leads to a field. */
function pressOnPage(letter) {
  const target = document.querySelector(`[data-page-key="${CSS.escape(letter)}"]`);
  if (!target) return null;
  return () => {
    if (target.offsetParent === null) target.closest("[data-folded]")?.querySelector("[data-fold]")?.click();
    return target.matches("input") ? target.focus() : target.click();
  };
}

function escape(event, isTyping) {
  const drop = document.querySelector("details[data-drop][open]");
  if (drop) {
    drop.open = false;
    drop.querySelector("summary")?.focus();
    return;
  }
  if (isTyping && !event.target.closest("dialog")) {
    event.preventDefault(); // a search field would empty itself
    event.target.blur();
    return;
  }
  if (!isTyping) document.querySelector("[data-close-panel]")?.click();
}

function openHelp() {
  document.getElementById("help")?.showModal();
}
