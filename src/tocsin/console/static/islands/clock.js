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
    const parts = partsOf(time, isToday);
    time.textContent = new Intl.DateTimeFormat(undefined, { ...parts, hourCycle: "h23" }).format(moment);
    time.dataset.shown = "local";
  }
}

function partsOf(time, isToday) {
  const day = { month: "short", day: "2-digit" };
  const minute = { hour: "2-digit", minute: "2-digit" };
  if (time.hasAttribute("data-whole")) return { dateStyle: "medium", timeStyle: "long" };
  if (time.hasAttribute("data-tick")) {
    const span = Number(time.dataset.tick);
    if (span <= 7200) return { ...minute, second: "2-digit" };
    if (span <= 172800) return minute;
    return span <= 777600 ? { ...day, ...minute } : day;
  }
  if (time.hasAttribute("data-exact")) {
    return { ...(isToday ? {} : day), ...minute, second: "2-digit", fractionalSecondDigits: 3 };
  }
  return isToday ? { timeStyle: "medium" } : { ...day, ...minute };
}

function tick() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const distance = (Date.now() - new Date(time.dateTime)) / 1000;
    const units = parts(Math.abs(distance));
    time.textContent = distance >= 0 ? `${units[0]} ago` : `in ${units.join(" ")}`;
  }
}

/** The two largest units of a duration in seconds, as the server writes them. */
function parts(seconds) {
  let left = Math.floor(seconds);
  const found = [];
  for (const [length, unit] of SPANS) {
    if (left >= length && found.length < 2) {
      found.push(`${Math.floor(left / length)} ${unit}`);
      left %= length;
    } else if (found.length) break;
  }
  return found.length ? found : ["0 s"];
}
