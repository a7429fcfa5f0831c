/** The filter bar: completes field names and values of the word the cursor is in. */

import { bindCompletion, fetched } from "./completion.js";

export function startFilterBar() {
  for (const form of document.querySelectorAll("[data-filter-bar]:not([data-ready])")) {
    form.dataset.ready = "true";
    bind(form, form.querySelector('input[name="q"]'), form.querySelector('[role="listbox"]'));
  }
}

function bind(form, input, list) {
  bindCompletion(input, list, async (evenOfNothing, signal) => {
    const word = wordAt(input);
    if (!word.text && !evenOfNothing) return null;
    const found = (await fetched(`/search/complete?${parametersOf(form, word)}`, signal)) ?? [];
    const all = word.field ? found : [...joining(input, word), ...found];
    return { start: word.start, end: word.end, items: all.map((item) => offered(item, word)) };
  });
  form.querySelector("#query-check")?.addEventListener("htmx:afterSwap", (event) => {
    const isWrong = event.target.querySelector("[data-fault]:not(.unfinished)") !== null;
    input.setAttribute("aria-invalid", String(isWrong));
    for (const told of ["query-fault", "query-hints"]) document.getElementById(told)?.remove();
  });
  input.addEventListener("input", () => input.removeAttribute("aria-invalid"));
}

function offered(item, word) {
  const ending = item.is_word ? " " : item.insert.endsWith(".") ? "" : ":";
  const text = item.is_value ? `${word.field}:${quoted(item.insert)} ` : `${item.insert}${ending}`;
  return { text, name: item.insert, note: item.note };
}

/** What the page is asked for, so that values are those of its range, and names of its lanes. */
function parametersOf(form, word) {
  const parameters = new URLSearchParams({ prefix: word.prefix, field: word.field });
  for (const name of ["from", "to", "tz"]) {
    const kept = form.elements.namedItem(name)?.value;
    if (kept) parameters.set(name, kept);
  }
  const lanes = document.querySelector("[data-lanes]")?.dataset.lanes;
  if (lanes) parameters.set("lanes", lanes);
  return parameters;
}

/** AND, OR and NOT where one may stand: after a part that is whole; also for who writes them small. */
function joining(input, word) {
  const before = input.value.slice(0, word.start).trimEnd();
  const isAfterPart = before !== "" && !/(?:^|\s|\()(?:AND|OR|NOT)$|\($/.test(before);
  return (isAfterPart ? ["AND", "OR", "AND NOT"] : ["NOT"])
    .filter((name) => name.startsWith(word.text.length > 1 ? word.text.toUpperCase() : word.text))
    .map((insert) => ({ insert, note: "joins", is_word: true }));
}

/** The word around the cursor; a quoted value counts as one word. */
function wordAt(input) {
  const text = input.value;
  const end = input.selectionStart ?? text.length;
  let start = end;
  let inQuotes = (text.slice(0, end).match(/"/g) ?? []).length % 2 === 1;
  while (start > 0) {
    const before = text[start - 1];
    if (before === '"') inQuotes = !inQuotes;
    if (!inQuotes && /[\s()]/.test(before)) break;
    start -= 1;
  }
  const word = text.slice(start, end).replace(/^[-+!]/, "");
  const skipped = end - start - word.length;
  const colon = word.indexOf(":");
  return {
    start: start + skipped,
    end,
    text: word,
    field: colon >= 0 ? word.slice(0, colon) : "",
    prefix: (colon >= 0 ? word.slice(colon + 1) : word).replace(/^"|"$/g, "").replaceAll('\\"', '"'),
  };
}

function quoted(value) {
  return /^[A-Za-z0-9_@.-]+$/.test(value) ? value : `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
