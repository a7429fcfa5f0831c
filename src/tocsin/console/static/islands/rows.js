/** Lists: one row is the current one, rows can be marked, and both survive an exchange of the page. */

const MARKS = '[data-rows] tbody :is(input[name="id"], input[name="event"])';
let kept = { row: "", scroll: 0 };

export function rows() {
  return [...document.querySelectorAll("[data-rows] tr[data-row]")];
}

export function currentRow() {
  const focused = document.activeElement?.closest?.("tr[data-row]");
  return focused ?? document.querySelector('tr[data-row][aria-selected="true"]');
}

export function moveRow(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(currentRow());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  const link = next.querySelector("a.row-link");
  link.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  if (document.querySelector("#panel:not([hidden])") && link.hasAttribute("hx-get")) link.click();
}

export function markRow() {
  const box = currentRow()?.querySelector('input[type="checkbox"]');
  box?.click();
}

export function startRows() {
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.("tr[data-row]");
    if (!row || event.target.closest("a, button, input, label, summary, select")) return;
    if (String(getSelection()).length) return;
    row.querySelector("a.row-link")?.click();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-mark-all]")) {
      for (const box of document.querySelectorAll(MARKS)) {
        box.checked = event.target.checked;
      }
    }
    countMarked();
  });
  document.addEventListener("reset", () => setTimeout(countMarked));
  document.addEventListener("htmx:beforeSwap", (event) => {
    kept = { row: currentRow()?.id ?? "", scroll: document.querySelector("#list .body")?.scrollTop ?? 0 };
    if (event.detail.target?.id !== "panel") return;
    const opener = event.detail.requestConfig?.elt;
    if (opener?.hasAttribute("data-close-panel")) leavePanel();
    else markSelected(opener);
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const list = document.querySelector("#list .body");
    if (!list || event.detail.target?.id === "panel") return;
    list.scrollTop = kept.scroll;
    if (kept.row && document.activeElement === document.body) {
      document.getElementById(kept.row)?.querySelector("a.row-link")?.focus({ preventScroll: true });
    }
  });
}

/** The panel closes: its row stays the current one. */
function leavePanel() {
  const row = document.querySelector('tr[data-row][aria-selected="true"]');
  row?.setAttribute("aria-selected", "false");
  row?.querySelector("a.row-link")?.focus({ preventScroll: true });
}

/** The row that leads where ``opener`` does, or to the same record in another form. */
function markSelected(opener) {
  const address = opener?.getAttribute?.("href");
  const record = recordIn(address);
  for (const row of rows()) {
    const own = row.querySelector("a.row-link")?.getAttribute("href");
    const isIt = own === address || (record !== null && recordIn(own) === record);
    row.setAttribute("aria-selected", String(isIt));
    if (isIt) row.scrollIntoView({ block: "nearest" });
  }
}

function recordIn(address) {
  return address ? new URL(address, location.href).searchParams.get("record") : null;
}

/** Tells how many rows are marked, in the words the page gives: % stands for the number. */
function countMarked() {
  const number = [...document.querySelectorAll(MARKS)].filter((box) => box.checked).length;
  for (const shown of document.querySelectorAll("[data-marked]")) {
    const one = number === 1 ? shown.dataset.markedOne : "";
    shown.textContent = one || (shown.dataset.marked || "% marked").replace("%", String(number));
  }
}
