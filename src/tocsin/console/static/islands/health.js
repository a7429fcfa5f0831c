/** The health page: tells plainly when what it shows is old, and lets nothing but itself replace it. */

const lost = document.getElementById("lost");
const hourOf = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: "UTC" });
let lastGood = { at: performance.now(), made: made() };

function made() {
  return new Date(document.getElementById("wall").dataset.made);
}

function allowed() {
  return Number(document.getElementById("wall").dataset.every) * 3000 + 5000;
}

function lose(why) {
  const words = `No connection to Tocsin: ${why}. What you see is from ${hourOf.format(lastGood.made)} UTC.`;
  if (lost.textContent !== words) lost.textContent = words;
  lost.hidden = false;
  document.body.classList.add("is-lost");
}

function find() {
  lastGood = { at: performance.now(), made: made() };
  lost.hidden = true;
  document.body.classList.remove("is-lost");
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status === 200 && xhr.responseText.includes('id="wall"')) return;
  event.detail.shouldSwap = false;
  lose(`the server answers ${xhr.status || "nothing"}`);
});
document.addEventListener("htmx:afterSettle", find);
document.addEventListener("htmx:sendError", () => lose("the server can't be reached"));
document.addEventListener("htmx:timeout", () => lose("the server does not answer in time"));
addEventListener("offline", () => lose("this screen has no network"));
setInterval(() => {
  if (performance.now() - lastGood.at > allowed()) lose("nothing new has come");
}, 1000);

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") location.assign("/sources");
});
document.addEventListener("DOMContentLoaded", () => {
  document.documentElement.dataset.ready = "true";
});
