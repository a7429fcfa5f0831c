/** Findings are counted after the first rows are there: each picture goes into the cell of its rule. */

export function placeFindings() {
  for (const found of document.querySelectorAll("[data-findings] [data-found]")) {
    const name = CSS.escape(found.dataset.found);
    document.querySelector(`tr [data-found="${name}"]`)?.replaceWith(found);
  }
}
