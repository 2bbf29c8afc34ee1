// The page listens to one event stream, puts what it says where it belongs, and says when nothing is said any more.
"use strict";

const RETRY_MILLISECONDS = 2000;
const SAID_EVERY_MILLISECONDS = 15000;
const SILENT_MILLISECONDS = 15000; // the auditor says something at least every 5 s

const byId = (id) => document.getElementById(id);

function link(state, text) {
  if (byId("link").dataset.state !== state) byId("link").dataset.state = state;
  if (byId("link-said").textContent !== text) byId("link-said").textContent = text;
}

function banner(text) {
  const place = byId("banner");
  if (place.textContent !== text) place.textContent = text;
  place.hidden = !text;
}

// What changed, for who does not see it: the newest sentence, and not more often than it can be listened to.
const speaker = { said: "", at: 0 };
function say(text, now) {
  if (!text || text === speaker.said || (!now && Date.now() - speaker.at < SAID_EVERY_MILLISECONDS)) return;
  speaker.said = text;
  speaker.at = Date.now();
  byId("said").textContent = text;
}

// After a restart of the auditor nothing of the old page is kept: it is fetched again, as a reload would.
async function fetchAgain() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) return answer.status;
  document.querySelector("meta[name=racelab-boot]").content = fresh.querySelector("meta[name=racelab-boot]").content;
  const main = byId("main");
  main.replaceWith(document.adoptNode(fresh.getElementById("main")));
  htmx.process(byId("main"));
  document.dispatchEvent(new CustomEvent("racelab:fetched"));
  return answer.status;
}

class Listener {
  constructor(root) {
    this.root = root;
    this.heardAt = Date.now();
    this.over = false;
    this.timer = setInterval(() => this.look(), 1000);
    this.connect();
  }

  connect() {
    if (this.over) return;
    const source = new EventSource(this.root.dataset.events);
    this.source = source;
    source.onopen = () => { this.heardAt = Date.now(); };
    source.onerror = () => this.lost(source);
    source.addEventListener("hello", (event) => this.hello(event.data));
    source.addEventListener("problem", (event) => this.problem(event.data));
    source.addEventListener("ended", () => this.end());
    for (const name of ["series", "sample"]) {
      source.addEventListener(name, (event) => {
        this.heard();
        document.dispatchEvent(new CustomEvent(`racelab:${name}`, { detail: JSON.parse(event.data) }));
      });
    }
    for (const place of this.root.querySelectorAll("[data-event]")) {
      source.addEventListener(place.dataset.event, (event) => {
        this.heard();
        if (place.isConnected) htmx.swap(place, event.data, { swapStyle: "innerHTML" });
        if (place.dataset.event === "summary") say(place.textContent.trim());
      });
    }
  }

  heard() { this.heardAt = Date.now(); }

  hello(boot) {
    this.heard();
    const known = document.querySelector("meta[name=racelab-boot]").content;
    if (boot !== known) { this.renew(); return; }
    banner("");
    link("live", "live");
  }

  problem(text) {
    this.heard();
    banner(text ? `${text}. The page goes on as soon as it can.` : "");
    link(text ? "lost" : "live", text ? "waiting" : "live");
  }

  end() {
    this.stop();
    banner("");
    link("ended", "ended");
    const summary = byId("summary");
    if (summary) say(summary.textContent.trim(), true);
  }

  stop() {
    this.over = true;
    clearInterval(this.timer);
    if (this.source) this.source.close();
  }

  async renew() {
    this.stop();
    try {
      const status = await fetchAgain();
      if (status === 200) { begin(); return; }
    } catch { /* lost again: it is tried again below */ }
    setTimeout(() => this.renew(), RETRY_MILLISECONDS);
  }

  lost(source) {
    if (this.over || source !== this.source) return;
    link("lost", "not live");
    // A browser tries again by itself, but not after an answer such as 503: then we ask what is the matter.
    if (source.readyState === EventSource.CLOSED) { this.ask(); return; }
    banner("The auditor does not answer, trying again.");
  }

  async ask() {
    const asked = new AbortController();
    try {
      const answer = await fetch(this.root.dataset.events, { signal: asked.signal, cache: "no-store" });
      if (answer.ok) { asked.abort(); this.connect(); return; }
      const kind = answer.headers.get("Content-Type") || "";
      const told = kind.startsWith("text/plain") ? await answer.text() : `The auditor answers ${answer.status}`;
      banner(`${told.trim()}.`);
      if (answer.headers.has("Retry-After") && kind.startsWith("text/plain")) await this.refresh();
    } catch { banner("The auditor does not answer, trying again."); }
    setTimeout(() => this.ask(), RETRY_MILLISECONDS * 2);
  }

  // No place among the listeners: what is live is fetched instead.
  async refresh() {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const places = [...this.root.querySelectorAll("[data-event]")];
    for (const place of places) {
      const now = fresh.querySelector(`[data-event="${place.dataset.event}"]`);
      if (now && now.innerHTML !== place.innerHTML) htmx.swap(place, now.innerHTML, { swapStyle: "innerHTML" });
    }
  }

  // A connection that is dead and does not say so.
  look() {
    if (Date.now() - this.heardAt < SILENT_MILLISECONDS || !this.source) return;
    if (this.source.readyState !== EventSource.OPEN) return;
    this.heard();
    this.source.close();
    link("lost", "not live");
    banner("The auditor does not answer, trying again.");
    this.connect();
  }
}

function begin() {
  const root = document.querySelector("[data-events]");
  if (root) window.racelabListener = new Listener(root);
  else if (byId("run")) link("ended", "ended");
  banner("");
}

// A page that says the database is away looks again by itself.
function lookAgain() {
  const problem = document.querySelector("[data-problem='503']");
  if (!problem) return;
  setTimeout(async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.status !== 503) { location.reload(); return; }
    } catch { banner("The auditor does not answer, trying again."); }
    lookAgain();
  }, RETRY_MILLISECONDS);
}

const THEMES = ["", "dark", "light"];
const THEME_WORDS = { "": ["as the system has them", "◐", "auto"], dark: ["dark", "●", "dark"], light: ["light", "○", "light"] };

function showTheme() {
  const theme = document.documentElement.dataset.theme || "";
  const [words, sign, short] = THEME_WORDS[theme];
  const button = byId("theme");
  button.setAttribute("aria-label", `Colours: ${words}`);
  button.firstChild.textContent = sign;
  button.querySelector("span").textContent = short;
}

function changeTheme() {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme || "") + 1) % THEMES.length];
  if (next) root.dataset.theme = next; else delete root.dataset.theme;
  try { if (next) localStorage.setItem("racelab-theme", next); else localStorage.removeItem("racelab-theme"); } catch { /* not kept */ }
  showTheme();
  document.dispatchEvent(new CustomEvent("racelab:theme"));
}

// A link with #token=… signs in: what is behind # is sent to nobody, and leaves no trace in a log.
function signInByLink() {
  const given = /^#token=(.+)$/.exec(location.hash);
  if (!given) return;
  history.replaceState(null, "", location.pathname + location.search);
  const form = document.querySelector("form.sign-in");
  if (!form || !form.elements.token) return;
  form.elements.token.value = decodeURIComponent(given[1]);
  form.submit();
}

// An interleaving that was opened is shown, and the keyboard follows it there.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target && event.detail.target.id === "interleaving") {
    const place = byId("interleaving");
    place.hidden = false;
    place.focus({ preventScroll: true });
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    place.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "nearest" });
  }
});

// A button that is gone with its race's last step leaves the keyboard where the race is.
let racing = false;
document.addEventListener("htmx:beforeSwap", (event) => {
  racing = event.detail.target.id === "race" && event.detail.target.contains(document.activeElement);
});
document.addEventListener("htmx:afterSettle", () => {
  if (racing && document.activeElement === document.body && byId("lanes")) byId("lanes").focus({ preventScroll: true });
  racing = false;
});

for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, () => banner("The auditor does not answer: press again when it is back."));
}

showTheme();
byId("theme").addEventListener("click", changeTheme);
signInByLink();
begin();
lookAgain();
