/** The histogram: drag across it, or use the arrow keys, to search the range. */

export function startHistogram() {
  for (const figure of document.querySelectorAll("[data-histogram]:not([data-ready])")) {
    figure.dataset.ready = "true";
    bind(figure);
  }
}

function bind(figure) {
  const svg = figure.querySelector(".chart svg");
  const bars = [...figure.querySelectorAll("[data-bar]")];
  const brush = figure.querySelector("[data-brush]");
  const label = figure.querySelector("[data-brush-label]");
  const time = clockOf(figure);
  let anchor = -1;
  let head = -1;
  let dragging = false;

  const indexAt = (event) => {
    const box = svg.getBoundingClientRect();
    const place = Math.floor(((event.clientX - box.left) / box.width) * bars.length);
    return Math.min(bars.length - 1, Math.max(0, place));
  };
  const show = () => {
    if (anchor < 0) {
      brush.setAttribute("width", "0");
      label.textContent = "";
      return;
    }
    const [low, high] = [Math.min(anchor, head), Math.max(anchor, head)];
    brush.setAttribute("x", String(low * 10));
    brush.setAttribute("width", String((high - low + 1) * 10));
    const count = bars.slice(low, high + 1).reduce((sum, bar) => sum + Number(bar.dataset.count), 0);
    label.textContent = `${time(bars[low].dataset.start)} – ${time(bars[high].dataset.end)}: ${count.toLocaleString("en")}`;
  };
  const search = () => {
    const [low, high] = [Math.min(anchor, head), Math.max(anchor, head)];
    const form = figure.querySelector("[data-brush-form]");
    form.elements.namedItem("from").value = bars[low].dataset.start;
    form.elements.namedItem("to").value = bars[high].dataset.end;
    form.requestSubmit();
  };

  svg.addEventListener("pointerdown", (event) => {
    dragging = true;
    anchor = head = indexAt(event);
    svg.setPointerCapture(event.pointerId);
    show();
  });
  svg.addEventListener("pointermove", (event) => {
    if (!dragging) {
      const bar = bars[indexAt(event)];
      const told = bar.dataset.told ? ` (${bar.dataset.told})` : "";
      label.textContent = `${time(bar.dataset.start)}: ${Number(bar.dataset.count).toLocaleString("en")}${told}`;
      return;
    }
    head = indexAt(event);
    show();
  });
  svg.addEventListener("pointerleave", () => {
    if (!dragging) show();
  });
  svg.addEventListener("pointerup", () => {
    dragging = false;
    search();
  });
  figure.addEventListener("keydown", (event) => {
    if (event.target !== figure) return;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      const step = event.key === "ArrowRight" ? 1 : -1;
      if (head < 0) {
        anchor = head = step > 0 ? 0 : bars.length - 1;
      } else {
        head = Math.min(bars.length - 1, Math.max(0, head + step));
        if (!event.shiftKey) anchor = head;
      }
      show();
    } else if (event.key === "Enter" && anchor >= 0) {
      event.preventDefault();
      search();
    } else if (event.key === "Escape" && anchor >= 0) {
      event.stopPropagation();
      anchor = head = -1;
      show();
    }
  });
}

/** A formatter of times in the zone of the page, else in the person's own or UTC. */
function clockOf(figure) {
  const isLocal = figure.dataset.zone === "UTC" && document.documentElement.dataset.zone === "local";
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: isLocal ? undefined : figure.dataset.zone,
    ...{ month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" },
    hourCycle: "h23",
  });
  return (iso) => format.format(new Date(iso));
}
