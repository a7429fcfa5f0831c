/** Times: shown in the local zone when asked for, and "4 min ago" kept true while the page is open. */

const SPANS = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];
let ticking = false;

export function startClock() {
  if (document.documentElement.dataset.zone === "local") showLocal();
  if (!ticking) {
    ticking = true;
    setInterval(tick, 15000);
  }
}

function showLocal() {
  for (const time of document.querySelectorAll("time[datetime]:not([data-relative]):not([data-shown])")) {
    const moment = new Date(time.dateTime);
    const isToday = moment.toDateString() === new Date().toDateString();
    const parts = time.hasAttribute("data-whole")
      ? { dateStyle: "medium", timeStyle: "long" }
      : isToday
        ? { timeStyle: "medium" }
        : { month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit" };
    time.textContent = new Intl.DateTimeFormat(undefined, { ...parts, hourCycle: "h23" }).format(moment);
    time.dataset.shown = "local";
  }
}

function tick() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const distance = (Date.now() - new Date(time.dateTime)) / 1000;
    const [length, unit] = SPANS.find(([size]) => Math.abs(distance) >= size) ?? [1, "s"];
    const amount = `${Math.floor(Math.abs(distance) / length)} ${unit}`;
    time.textContent = distance >= 0 ? `${amount} ago` : `in ${amount}`;
  }
}
