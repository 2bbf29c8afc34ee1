// Before anything is painted: the colours that this browser chose last time.
"use strict";
try {
  const kept = localStorage.getItem("racelab-theme");
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
} catch { /* no storage, no choice kept */ }
