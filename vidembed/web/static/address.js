// The address says what is searched, so that it can be kept and passed on.

function address(results) {
  const player = stage(results).querySelector(".ve-player:not([hidden])");
  if (player && player.key !== keyOf(player.from)) { // gradio reuses elements: this one shows another moment now
    document.querySelectorAll(".ve-now").forEach((shown) => shown.classList.remove("ve-now"));
    const same = choices(player).find((one) => keyOf(one) === player.key);
    if (same) { player.from = same; same.closest(".ve-card")?.classList.add("ve-now"); }
    else if (player.querySelector("video").paused && results.querySelector(".ve-bar")) player.hidden = true;
  }
  const marks = results.querySelector("[data-marks]");
  if (marks) { marks.removeAttribute("data-marks"); parts.get("ve-search-said")?.("select", {}); }
  const bar = results.querySelector(".ve-bar[data-address]");
  if (!bar) return;
  const key = `${bar.dataset.address}|${bar.querySelector("a[data-export]")?.pathname || ""}`;
  if (key === drawn) return;
  drawn = key;
  ticks(results).forEach((one) => { one.checked = one.defaultChecked; }); // gradio reuses elements
  picked(results);
  const said = new URLSearchParams(bar.dataset.address);
  const url = new URL(window.location.href);
  const now = new URLSearchParams(url.search);
  const opening = results.querySelector("[data-open]");
  for (const name of [...now.keys()]) if (!OWN.has(name)) url.searchParams.delete(name);
  if (!opening && !openPlayer()) ["v", "t"].forEach((name) => url.searchParams.delete(name));
  said.forEach((value, name) => url.searchParams.set(name, value));
  show_(url, !ready || restoring);
  ready = true;
  restoring = false;
  document.title = said.get("q") ? `${said.get("q")} – vidembed` : "vidembed";
  if (opening) { opening.removeAttribute("data-open"); restoring = true; play(opening); restoring = false; }
}

const OWN = new Set(["v", "t", "tab"]); // the rest of the address is the query
let drawn = ""; // the answer that is shown
let ready = false; // the first answer is there: from now on each one is a step back
let restoring = false; // Back or Forward were pressed: the address is there already
const query = (search) => { const q = new URLSearchParams(search); OWN.forEach((name) => q.delete(name)); q.sort(); return q.toString(); };
let shownQuery = query(window.location.search);

function show_(url, replace) {
  if (url.href !== window.location.href) window.history[replace ? "replaceState" : "pushState"](null, "", url);
  shownQuery = query(url.search);
}

function toAddress(video, start) {
  if (restoring) return;
  const url = new URL(window.location.href);
  const before = url.searchParams.get("v");
  if (!video && !before) return;
  if (video) { url.searchParams.set("v", video); url.searchParams.set("t", String(Math.round(start * 10) / 10)); }
  else { url.searchParams.delete("v"); url.searchParams.delete("t"); }
  show_(url, !video || !!before); // one step back closes the player, however many moments were looked at
}

const tabNow = () => document.querySelector("[role=tab][aria-selected=true]")?.dataset.tabId || "search";
function toTab(tab) { document.querySelector(`[role=tab][data-tab-id="${tab}"]`)?.click(); }
document.addEventListener("click", (event) => {
  const tab = event.target.closest?.("[role=tab][data-tab-id]")?.dataset.tabId;
  if (!tab || restoring) return;
  const url = new URL(window.location.href);
  if (tab === "search") url.searchParams.delete("tab"); else url.searchParams.set("tab", tab);
  show_(url, false);
});
window.addEventListener("popstate", () => {
  const said = new URLSearchParams(window.location.search);
  restoring = true;
  if (tabNow() !== (said.get("tab") || "search")) toTab(said.get("tab") || "search");
  const player = openPlayer();
  if (player && !said.get("v")) close(player);
  if (query(window.location.search) !== shownQuery) {
    parts.get("ve-address")?.("select", { action: "address", search: window.location.search });
  } else {
    const key = `${said.get("v")}@`;
    const same = said.get("v") && [...document.querySelectorAll("#ve-results [data-action=play]")].find((one) =>
      `${one.dataset.video}@` === key && Math.abs(Number(one.dataset.start) - Number(said.get("t"))) < 0.1);
    if (same) play(same);
    restoring = false;
  }
});
function firstTab() { // the tab of the address, once the tabs are there
  const tab = new URLSearchParams(window.location.search).get("tab");
  if (!tab) return;
  const watch = new MutationObserver(() => {
    if (!document.querySelector(`[role=tab][data-tab-id="${tab}"]`)) return;
    watch.disconnect();
    setTimeout(() => { restoring = true; toTab(tab); restoring = false; }, 0);
  });
  watch.observe(document.documentElement, { childList: true, subtree: true });
}
firstTab();
