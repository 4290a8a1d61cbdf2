"use strict";
/*
 * The server makes the page; this only fetches it again every few seconds and puts the parts that
 * changed in place of the old ones. Nothing here knows what a folder is.
 */
(() => {
  const every = 3000;
  const parts = ["verdict", "figures", "findings", "groups", "agents", "footer"];
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const filter = $("filter");
  const pause = $("pause");
  let paused = false;
  let failures = 0;

  function read(key) {
    try { return localStorage.getItem("coterie-" + key); } catch { return null; }
  }
  function keep(key, value) {
    try { localStorage.setItem("coterie-" + key, value); } catch { /* private mode */ }
  }

  function applyFilter() {
    const word = filter.value.trim().toLowerCase();
    for (const row of document.querySelectorAll("[data-find]"))
      row.classList.toggle("filtered", word !== "" && !row.textContent.toLowerCase().includes(word));
    for (const details of document.querySelectorAll("details[data-keep]")) {
      details.dataset.searched = word === "" ? "" : "1"; /* not the reader's own choice */
      details.open = word !== "" || read("open-" + details.dataset.keep) === "1";
    }
    for (const card of document.querySelectorAll(".folder")) {
      const rows = card.querySelectorAll("[data-find]");
      const shown = card.querySelectorAll("[data-find]:not(.filtered)");
      const named = card.querySelector("h2").textContent.toLowerCase().includes(word);
      if (named)
        for (const row of rows) row.classList.remove("filtered");
      card.classList.toggle("filtered", word !== "" && !named && shown.length === 0);
    }
  }

  function onToggle(event) {
    const details = event.target;
    if (details.dataset.keep && !details.dataset.searched)
      keep("open-" + details.dataset.keep, details.open ? "1" : "0");
  }

  function take(fresh) {
    const busy = document.activeElement && document.activeElement.closest("main a, main summary");
    for (const id of parts) {
      const now = $(id);
      const next = fresh.getElementById(id);
      if (now && next && now.innerHTML !== next.innerHTML && !(busy && now.contains(busy)))
        now.replaceWith(document.importNode(next, true));
    }
    document.title = fresh.title;
    root.dataset.health = fresh.documentElement.dataset.health;
    applyFilter();
  }

  function show() {
    pause.classList.toggle("lost", failures > 1);
    pause.textContent = paused ? "Paused" : failures > 1 ? "No answer" : "Live";
    pause.setAttribute("aria-pressed", String(paused));
  }

  async function refresh() {
    if (!paused && !document.hidden) {
      try {
        const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(10000) });
        if (!answer.ok) throw new Error(answer.statusText);
        take(new DOMParser().parseFromString(await answer.text(), "text/html"));
        failures = 0;
      } catch {
        failures++;
      }
      show();
    }
    setTimeout(refresh, every);
  }

  function togglePause() {
    paused = !paused;
    show();
  }

  function toggleTheme() {
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    keep("theme", root.dataset.theme);
  }

  if (read("theme")) root.dataset.theme = read("theme");
  document.querySelector(".tools").hidden = false;
  document.querySelector(".tools").addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("input", applyFilter);
  pause.addEventListener("click", togglePause);
  $("theme").addEventListener("click", toggleTheme);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === filter) {
      if (event.key === "Escape") { filter.value = ""; applyFilter(); filter.blur(); }
      return;
    }
    if (event.key === "/") { event.preventDefault(); filter.focus(); }
    else if (event.key === "p") togglePause();
    else if (event.key === "t") toggleTheme();
  });
  document.addEventListener("toggle", onToggle, true);
  applyFilter();
  setTimeout(refresh, every);
})();
