/** The SQL editor: Ctrl Enter runs, a name of the schema is put where the cursor is. */

export function startSqlEditor() {
  const form = document.querySelector("[data-sql-form]:not([data-ready])");
  if (!form) return;
  form.dataset.ready = "true";
  const editor = form.elements.namedItem("sql");
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(form.querySelector("button.primary"));
    }
  });
  for (const button of document.querySelectorAll("[data-insert]")) {
    button.addEventListener("click", () => {
      editor.setRangeText(button.dataset.insert, editor.selectionStart, editor.selectionEnd, "end");
      editor.focus();
    });
  }
}
