/** Completion of what is typed: asks what may come next, shows it, puts what is chosen in place. */

/**
 * `ask(evenOfNothing, signal)` gives what may stand there: `{start, end, items: [{text, name,
 * note}]}`, or nothing. `place(list, start)` may move the list to where one types.
 */
export function bindCompletion(field, list, ask, place = () => {}) {
  let at = -1;
  let asked = 0;
  let word = { start: 0, end: 0 };
  let pending = null;
  let timer = 0;
  const tellsOpen = field.getAttribute("role") === "combobox";

  const close = () => {
    list.hidden = true;
    at = -1;
    if (tellsOpen) field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const options = () => [...list.children];
  const select = (wished) => {
    const all = options();
    at = all.length ? (wished + all.length) % all.length : -1;
    all.forEach((option, number) => option.setAttribute("aria-selected", String(number === at)));
    if (at >= 0) {
      field.setAttribute("aria-activedescendant", all[at].id);
      all[at].scrollIntoView({ block: "nearest" });
    }
  };
  const take = (option) => {
    const text = option.dataset.insert;
    const end = field.selectionStart; // of a word that may have grown since
    close();
    if (/\s/.test(field.value.slice(word.end, end))) return;
    field.setRangeText(text, word.start, end, "end");
    field.focus();
    field.dispatchEvent(new Event("completed"));
    if (text.endsWith(":")) suggest();
  };
  const suggest = async (evenOfNothing = false) => {
    const number = ++asked;
    clearTimeout(timer);
    pending?.abort();
    pending = new AbortController();
    let found = null;
    try {
      found = await ask(evenOfNothing, pending.signal);
    } catch {
      found = null;
    }
    if (number !== asked) return;
    if (!found?.items.length) return close();
    word = found;
    list.replaceChildren(...found.items.map(optionOf));
    at = -1;
    list.hidden = false;
    place(list, found.start);
    if (tellsOpen) field.setAttribute("aria-expanded", "true");
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => suggest(), 120);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      suggest(true);
      return;
    }
    if (list.hidden || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      select(at + (event.key === "ArrowDown" ? 1 : at < 0 ? 0 : -1));
    } else if ((event.key === "Tab" && !event.shiftKey) || (event.key === "Enter" && at >= 0)) {
      event.preventDefault();
      take(options()[Math.max(0, at)]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) {
      close();
    }
  });
  list.addEventListener("mousedown", (event) => {
    const option = event.target.closest('[role="option"]');
    if (!option) return;
    event.preventDefault();
    take(option);
  });
  field.addEventListener("blur", () => setTimeout(close, 150));
}

/** Fetches JSON; nothing when there is none. */
export async function fetched(address, signal) {
  const response = await fetch(address, { headers: { accept: "application/json" }, signal });
  return response.ok && !response.redirected ? response.json() : null;
}

function optionOf(item, place) {
  const option = document.createElement("li");
  option.role = "option";
  option.id = `completion-${place}`;
  const name = document.createElement("span");
  name.className = "mono";
  name.textContent = item.name;
  const note = document.createElement("span");
  note.className = "faint";
  note.textContent = item.note;
  option.append(name, note);
  option.dataset.insert = item.text;
  return option;
}
