// The run's curves, drawn by Plotly: what its page came with, and then what the stream adds.
"use strict";

const KEPT = 1200;
const COLUMNS = ["at_milliseconds", "ledger_total_cents", "balance_cents", "absolute_drift_cents", "stale_installs"];
let curves = null;

function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function layout(title, more) {
  const axis = { gridcolor: colour("line"), linecolor: colour("line"), zerolinecolor: colour("line"), tickfont: { color: colour("soft") }, fixedrange: true };
  return {
    height: 220,
    margin: { l: 58, r: 8, t: 8, b: 34 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 11, color: colour("ink") },
    hovermode: "x unified",
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
    xaxis: { ...axis, title: { text: "seconds", font: { color: colour("soft"), size: 11 }, standoff: 4 }, rangemode: "tozero" },
    yaxis: { ...axis, rangemode: "tozero", ...more },
    legend: { orientation: "h", x: 0, y: 1.12, bgcolor: "rgba(0,0,0,0)" },
    showlegend: false,
    dragmode: false,
  };
}

const CONFIG = { displayModeBar: false, responsive: true, showTips: false, doubleClick: false };
const line = (name, x, y, shade, more = {}) => ({ name, x, y, mode: "lines", type: "scatter", line: { color: colour(shade), width: 2, shape: "hv", ...more } });

function draw() {
  if (!document.getElementById("chart-balance")) return;
  const points = curves ? curves.at_milliseconds.length : 0;
  document.getElementById("no-curves").hidden = points > 0 || Boolean(document.querySelector("[data-events]"));
  for (const figure of document.querySelectorAll("#charts figure")) figure.hidden = !points && !document.getElementById("no-curves").hidden;
  if (!points) return;
  const first = curves.at_milliseconds[0];
  const seconds = curves.at_milliseconds.map((at) => (at - first) / 1000);
  const units = (cents) => cents.map((one) => one / 100);
  Plotly.react("chart-balance", [
    line("ledger total", seconds, units(curves.ledger_total_cents), "ledger"),
    line("balance", seconds, units(curves.balance_cents), "balance", "dot"),
  ], { ...layout(), showlegend: true, yaxis: { ...layout().yaxis, rangemode: "normal", tickformat: ",.0f" } }, CONFIG);
  Plotly.react("chart-drift", [
    { ...line("|drift|", seconds, units(curves.absolute_drift_cents), "drift"), fill: "tozeroy", fillcolor: colour("drift").replace("rgb(", "rgba(").replace(")", ", 0.14)") },
  ], layout(), CONFIG);
  Plotly.react("chart-stale", [{
    name: "stale installs per second", type: "scatter", mode: "lines", x: seconds.slice(1), y: rates(),
    line: { color: colour("stale"), width: 2, shape: "vh" },
  }], layout(), CONFIG);
  describe(seconds);
}

function rates() {
  const { at_milliseconds: at, stale_installs: stale } = curves;
  return at.slice(1).map((_, number) => {
    const apart = at[number + 1] - at[number];
    return apart > 0 ? Math.max(0, (1000 * (stale[number + 1] - stale[number])) / apart) : 0;
  });
}

function describe(seconds) {
  const last = seconds.length - 1;
  const money = (cents) => (cents / 100).toLocaleString("en", { minimumFractionDigits: 2 });
  const told = {
    "chart-balance": `Chart: after ${seconds[last].toFixed(0)} seconds the balance is ${money(curves.balance_cents[last])} and the ledger total ${money(curves.ledger_total_cents[last])}`,
    "chart-drift": `Chart: after ${seconds[last].toFixed(0)} seconds the absolute drift is ${money(curves.absolute_drift_cents[last])}`,
    "chart-stale": `Chart: after ${seconds[last].toFixed(0)} seconds there were ${curves.stale_installs[last]} stale installs`,
  };
  for (const [id, words] of Object.entries(told)) document.getElementById(id).setAttribute("aria-label", words);
}

function add(sample) {
  const at = sample.at_milliseconds[0];
  if (at === undefined) return;
  if (!curves) curves = Object.fromEntries(COLUMNS.map((name) => [name, []]));
  if (curves.at_milliseconds.length && at <= curves.at_milliseconds.at(-1)) return;
  for (const name of COLUMNS) curves[name].push(sample[name][0]);
  if (curves.at_milliseconds.length > KEPT) {
    const half = KEPT / 2; // older moments grow coarser, the newer ones stay
    for (const name of COLUMNS) curves[name] = curves[name].filter((_, number) => number >= half || number % 2 === 0);
  }
  draw();
}

function load() {
  const data = document.getElementById("curves");
  curves = data ? JSON.parse(data.textContent) : null;
  draw();
}

document.addEventListener("racelab:series", (event) => { curves = event.detail; draw(); });
document.addEventListener("racelab:sample", (event) => add(event.detail));
document.addEventListener("racelab:theme", draw);
document.addEventListener("racelab:fetched", load);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
load();
