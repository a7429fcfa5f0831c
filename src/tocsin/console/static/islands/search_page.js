/** Small things of the Search page: its list of fields is filtered and folded, its picker knows zones. */

export function startSearchPage() {
  for (const input of document.querySelectorAll("[data-field-filter]:not([data-ready])")) {
    input.dataset.ready = "true";
    input.addEventListener("input", () => filter(input.value));
  }
  const wanted = document.querySelector("[data-field-filter]")?.value;
  if (wanted) filter(wanted);
  for (const button of document.querySelectorAll("[data-fold]:not([data-ready])")) {
    button.dataset.ready = "true";
    button.addEventListener("click", () => {
      const isFolded = button.closest("aside").toggleAttribute("data-folded");
      button.setAttribute("aria-expanded", String(!isFolded));
      button.textContent = isFolded ? "Show" : "Hide";
    });
  }
  for (const list of document.querySelectorAll("[data-zones]:not([data-ready])")) {
    list.dataset.ready = "true";
    list.closest("details").addEventListener("toggle", () => fillZones(list), { once: true });
  }
  for (const button of document.querySelectorAll("[data-take-zone]:not([data-ready])")) {
    button.dataset.ready = "true";
    button.addEventListener("click", () => {
      const zone = button.dataset.takeZone;
      button.form.elements.namedItem("tz").value = zone === "local" ? localZone() : "";
    });
    if (button.dataset.takeZone === "local") button.textContent = `Local (${localZone()})`;
  }
}

export function localZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function filter(text) {
  const wanted = text.trim().toLowerCase();
  for (const field of document.querySelectorAll("[data-field-list] [data-name]")) {
    field.hidden = !field.dataset.name.includes(wanted);
  }
}

function fillZones(list) {
  const names = Intl.supportedValuesOf?.("timeZone") ?? [];
  list.replaceChildren(
    ...names.map((name) => {
      const option = document.createElement("option");
      option.value = name;
      return option;
    }),
  );
}
