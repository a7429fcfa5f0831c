/** Copies a link to this page, or the text of an element, and says so on the button. */

export function startCopying() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy], [data-copy-link]");
    if (!button) return;
    const text = button.dataset.copyLink
      ? new URL(button.dataset.copyLink, location.href).href
      : (document.querySelector(button.dataset.copy)?.textContent ?? "");
    copy(text).then((done) => tell(button, done));
  });
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyOldWay(text);
  }
}

/* Without TLS the clipboard is only reached through a selection. */
function copyOldWay(text) {
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "visually-hidden";
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  return done;
}

function tell(button, done) {
  const label = button.querySelector("[data-copy-label]") ?? button;
  const before = label.dataset.before ?? label.textContent;
  label.dataset.before = before;
  label.textContent = done ? "Copied" : "Not copied";
  setTimeout(() => {
    label.textContent = before;
  }, 2000);
}
