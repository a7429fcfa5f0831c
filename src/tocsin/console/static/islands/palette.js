/** The command palette: type to find a page, an entity, a case or a rule; arrows and Enter to go. */

let initial = null;

export function openPalette() {
  const dialog = document.getElementById("palette");
  if (!dialog || dialog.open) return;
  const list = document.getElementById("palette-list");
  initial ??= [...list.children];
  const input = document.getElementById("palette-input");
  input.value = "";
  list.replaceChildren(...initial);
  dialog.showModal();
  input.focus();
  select(0);
}

export function startPalette() {
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-open-palette]")) openPalette();
    if (event.target.matches?.("dialog")) event.target.close();
  });
  document.addEventListener("keydown", (event) => {
    if (!document.getElementById("palette")?.open) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      select(selected() + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      items()[selected()]?.click();
    }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id === "palette-list") select(0);
  });
}

function items() {
  return [...document.querySelectorAll("#palette-list .palette-item")];
}

function selected() {
  return items().findIndex((item) => item.getAttribute("aria-selected") === "true");
}

function select(wished) {
  const all = items();
  const at = Math.min(all.length - 1, Math.max(0, wished));
  all.forEach((item, number) => {
    item.id = `palette-${number}`;
    item.setAttribute("aria-selected", String(number === at));
  });
  document.getElementById("palette-input")?.setAttribute("aria-activedescendant", all.length ? `palette-${at}` : "");
  all[at]?.scrollIntoView({ block: "nearest" });
}
