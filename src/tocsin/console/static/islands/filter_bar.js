/** The filter bar: completes field names and values of the word the cursor is in. */

export function startFilterBar() {
  for (const form of document.querySelectorAll("[data-filter-bar]:not([data-ready])")) {
    form.dataset.ready = "true";
    bind(form, form.querySelector('input[name="q"]'), form.querySelector('[role="listbox"]'));
  }
}

function bind(form, input, list) {
  let at = -1;
  let asked = 0;
  let pending = null;
  let timer = 0;

  const close = () => {
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const options = () => [...list.children];
  const select = (wished) => {
    const all = options();
    at = all.length ? (wished + all.length) % all.length : -1;
    all.forEach((option, number) => option.setAttribute("aria-selected", String(number === at)));
    if (at >= 0) {
      input.setAttribute("aria-activedescendant", all[at].id);
      all[at].scrollIntoView({ block: "nearest" });
    }
  };
  const take = (option) => {
    const word = wordAt(input);
    const text = option.dataset.insert;
    input.setRangeText(text, word.start, word.end, "end");
    close();
    input.focus();
    input.dispatchEvent(new Event("completed"));
    if (text.endsWith(":")) suggest();
  };
  const suggest = async (evenOfNothing = false) => {
    const word = wordAt(input);
    const number = ++asked;
    clearTimeout(timer);
    pending?.abort();
    if (!word.text && !evenOfNothing) return close();
    pending = new AbortController();
    let found = [];
    try {
      const response = await fetch(`/search/complete?${parametersOf(form, word)}`, {
        headers: { accept: "application/json" },
        signal: pending.signal,
      });
      if (response.ok && !response.redirected) found = await response.json();
    } catch {
      found = [];
    }
    if (number !== asked) return;
    if (!word.field) found = [...joining(input, word), ...found];
    show(found, word);
  };
  const show = (found, word) => {
    list.replaceChildren(...found.map((item, place) => optionOf(item, word, place)));
    if (!found.length) return close();
    at = -1;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  };

  form.querySelector("#query-check")?.addEventListener("htmx:afterSwap", (event) => {
    const isWrong = event.target.querySelector("[data-fault]:not(.unfinished)") !== null;
    input.setAttribute("aria-invalid", String(isWrong));
    document.getElementById("query-fault")?.remove();
  });
  input.addEventListener("input", () => {
    input.removeAttribute("aria-invalid");
    clearTimeout(timer);
    timer = setTimeout(() => suggest(), 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      suggest(true);
      return;
    }
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      select(at + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Tab" || (event.key === "Enter" && at >= 0)) {
      event.preventDefault();
      take(options()[Math.max(0, at)]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
  list.addEventListener("mousedown", (event) => {
    const option = event.target.closest('[role="option"]');
    if (!option) return;
    event.preventDefault();
    take(option);
  });
  input.addEventListener("blur", () => setTimeout(close, 150));
}

function optionOf(item, word, place) {
  const option = document.createElement("li");
  option.role = "option";
  option.id = `completion-${place}`;
  const name = document.createElement("span");
  name.className = "mono";
  name.textContent = item.insert;
  const note = document.createElement("span");
  note.className = "faint";
  note.textContent = item.note;
  option.append(name, note);
  const ending = item.insert.endsWith(".") ? "" : ":";
  option.dataset.insert = item.is_value
    ? `${word.field}:${quoted(item.insert)} `
    : `${item.insert}${item.is_word ? " " : ending}`;
  return option;
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

/** AND, OR and NOT where one may stand: after a part that is whole. */
function joining(input, word) {
  const before = input.value.slice(0, word.start).trimEnd();
  const isAfterPart = before !== "" && !/(?:^|\s|\()(?:AND|OR|NOT)$|\($/.test(before);
  return (isAfterPart ? ["AND", "OR", "AND NOT"] : ["NOT"])
    .filter((name) => name.startsWith(word.text))
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
