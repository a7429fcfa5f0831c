/** The SQL editor: Ctrl Enter runs, what may come next is offered, what is wrong is underlined. */

import { bindCompletion, fetched } from "./completion.js";

export function startSqlEditor() {
  markAnswer();
  const form = document.querySelector("[data-sql-form]:not([data-ready])");
  if (!form) return;
  form.dataset.ready = "true";
  const editor = form.elements.namedItem("sql");
  const back = form.querySelector("[data-sql-back]");
  bindCompletion(
    editor,
    form.querySelector('[role="listbox"]'),
    (evenOfNothing, signal) => offers(form, editor, evenOfNothing, signal),
    (list, start) => placeList(list, back, editor, start),
  );
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(form.querySelector("button.primary"));
    }
  });
  editor.addEventListener("input", () => mark(editor, null));
  editor.addEventListener("scroll", () => {
    back.scrollTop = editor.scrollTop;
  });
  document.getElementById("sql-check").addEventListener("htmx:afterSwap", (event) => {
    mark(editor, event.target.querySelector("[data-fault]"));
  });
  for (const button of document.querySelectorAll("[data-insert]:not([role])")) {
    button.addEventListener("click", () => {
      editor.setRangeText(button.dataset.insert, editor.selectionStart, editor.selectionEnd, "end");
      editor.focus();
      editor.dispatchEvent(new Event("completed"));
    });
  }
}

async function offers(form, editor, evenOfNothing, signal) {
  const end = editor.selectionStart;
  if (!evenOfNothing && !/[\w."'%]$/.test(editor.value.slice(0, end))) return null;
  const points = [...editor.value]; // the server counts characters, the browser half ones
  const at = [...editor.value.slice(0, end)].length;
  const asked = new URLSearchParams({ sql: editor.value, at: String(at) });
  for (const name of ["from", "to"]) asked.set(name, form.elements.namedItem(name).value);
  const found = await fetched(`/search/sql/complete?${asked}`, signal);
  if (!found) return null;
  const items = found.items.map(({ insert, note }) => ({ text: insert, name: insert.trim(), note }));
  return { start: points.slice(0, found.start).join("").length, end, items };
}

/** What the server found wrong with the very statement that stands in the editor. */
function markAnswer() {
  const fault = document.querySelector("#answer [data-fault]:not([data-seen])");
  if (!fault) return;
  fault.dataset.seen = "true";
  const editor = document.getElementById("sql");
  const run = new URLSearchParams(location.search).get("sql") ?? "";
  if (editor.value === run.replaceAll("\r\n", "\n")) mark(editor, fault);
}

/** Underlines the wrong part; the text behind the editor has its very shape. */
function mark(editor, fault) {
  const back = document.querySelector("[data-sql-back]");
  const isWrong = fault !== null && !fault.classList.contains("unfinished");
  editor.setAttribute("aria-invalid", String(isWrong));
  const text = editor.value;
  back.textContent = `${text}\n`;
  back.scrollTop = editor.scrollTop;
  if (!fault?.dataset.at) return;
  const points = [...text];
  const at = points.slice(0, Number(fault.dataset.at)).join("").length;
  const wrong = points.slice(0, Number(fault.dataset.at) + Number(fault.dataset.length));
  const place = document.createElement("mark");
  place.className = isWrong ? "" : "unfinished";
  place.textContent = text.slice(at, wrong.join("").length) || " ";
  back.replaceChildren(text.slice(0, at), place, `${text.slice(wrong.join("").length)}\n`);
}

/** The list stands below the word it completes. */
function placeList(list, back, editor, start) {
  if (back.textContent !== `${editor.value}\n`) back.textContent = `${editor.value}\n`;
  const walker = document.createTreeWalker(back, NodeFilter.SHOW_TEXT);
  let left = start;
  let node = walker.nextNode();
  while (node && left > node.data.length) {
    left -= node.data.length;
    node = walker.nextNode();
  }
  if (!node) return;
  const range = document.createRange();
  range.setStart(node, left);
  range.setEnd(node, Math.min(left + 1, node.data.length));
  const word = range.getClientRects()[0] ?? range.getBoundingClientRect();
  const frame = back.getBoundingClientRect();
  list.style.top = `${Math.min(word.bottom - frame.top, frame.height)}px`;
  list.style.left = `${Math.max(0, Math.min(word.left - frame.left, frame.width - list.offsetWidth))}px`;
}
