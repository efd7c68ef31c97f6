// Clicks and keys, what runs, and the bridge from our parts to the server. All scripts of the page share one scope
// (`looks` in page.py), so each can call the others' functions.

document.addEventListener("click", (event) => {
  const strip = event.target.closest?.(".ve-strip[data-duration]");
  if (strip && !event.target.closest("[data-action]")) {
    const box = strip.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    seek(strip.closest(".ve-player"), share * Number(strip.dataset.duration));
  }
  document.querySelectorAll("details.ve-menu[open]").forEach((menu) => {
    if (!menu.contains(event.target) || event.target.closest("a")) menu.removeAttribute("open");
  });
  const button = event.target.closest?.("[data-action]");
  if (!button) return;
  const action = button.dataset.action;
  if (action === "play") play(button);
  if (action === "seek") seek(button.closest(".ve-player"), Number(button.dataset.time), button.dataset.end);
  if (action === "close-player") close(button.closest(".ve-player"));
  if (action === "previous") step(button.closest(".ve-player"), -1);
  if (action === "next") step(button.closest(".ve-player"), 1);
  if (action === "fold") button.setAttribute("aria-expanded", button.closest(".ve-player").classList.toggle("ve-unfolded"));
  if (action === "accept" || action === "reject") {
    const { classList } = button.closest(".ve-card");
    classList.toggle("ve-accepted", action === "accept");
    classList.toggle("ve-rejected", action === "reject");
  }
  if (action === "replay") replay(button.closest(".ve-player"));
  if (action === "copy-link") copy(button, window.location.href);
  if (action === "copy-time") copy(button, timecode(button.closest(".ve-player")));
  if (action === "whole") whole(button.closest(".ve-player"));
  if (action === "open-video") goTo("search", `?in=${button.dataset.video}`);
  if (action === "pick-all") pickAll(button);
  if (action === "close-notice") button.closest(".ve-notice").remove();
  if (button.dataset.goto) goTo(button.dataset.goto);
});

function goTo(tab, search) {
  document.querySelector(`[role=tab][data-tab-id="${tab}"]`)?.click();
  if (search === undefined) return;
  openPlayer()?.querySelector("video").pause();
  parts.get("ve-address")?.("select", { action: "address", search });
}

function whole(player) {
  const video = player.dataset.video;
  close(player);
  goTo("search", `?in=${video}`);
}

async function copy(button, text) {
  const label = button.dataset.label || (button.dataset.label = button.textContent);
  try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { window.prompt(label, text); }
  setTimeout(() => { button.textContent = label; }, 1500);
}

function timecode(player) {
  const now = player.querySelector("video").currentTime + Number(player.dataset.offset || 0);
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  return `${two(now / 3600)}:${two((now / 60) % 60)}:${two(now % 60)}.${String(Math.round((now % 1) * 1000) % 1000).padStart(3, "0")}`;
}

const writing = (el) => el.matches?.("input, textarea, select, [contenteditable=true], video, [role=slider]");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menus = document.querySelectorAll("details.ve-menu[open]");
    menus.forEach((menu) => { menu.removeAttribute("open"); menu.querySelector("summary").focus(); });
    if (!menus.length && openPlayer()) close(openPlayer());
  }
  const dot = event.target.closest?.("circle[data-action]");
  if (dot && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); play(dot); }
  const way = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[event.key];
  if (way && event.target.closest?.(".ve-suggestions")) event.target[way]?.focus();
  const line = event.target.closest?.(".ve-line");
  if (line && event.key === "Enter" && (event.ctrlKey || event.metaKey)) line.querySelector(".ve-save")?.click();
  if (writing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("#ve-text textarea");
  if (event.key === "/" && search?.offsetParent) { event.preventDefault(); search.focus(); search.select(); }
  const player = openPlayer();
  const verdict = { a: "accept", x: "reject" }[event.key];
  const card = (player?.from?.isConnected ? player.from : document.activeElement)?.closest("#ve-labelled .ve-card");
  if (verdict && card) {
    card.querySelector(`[data-action=${verdict}]`).click();
    if (player) step(player, 1); else card.nextElementSibling?.querySelector(".ve-thumb").focus();
    return;
  }
  if (!player) return;
  if (event.key === "j") step(player, 1);
  if (event.key === "k") step(player, -1);
  if (event.key === "r") replay(player);
});

// What runs, on every tab.
const parts = new Map(); // id of one of our parts -> its trigger
let change = null;
let timer = 0;
async function status() {
  clearTimeout(timer);
  const box = document.querySelector(".ve-status");
  let busy = false;
  if (box && !document.hidden) {
    try {
      const answer = await fetch(box.dataset.url);
      if (answer.ok) {
        const now = await answer.json();
        busy = now.busy;
        box.hidden = !busy;
        const share = now.share === null || now.share === undefined ? "" : ` · ${Math.round(100 * now.share)}%`;
        box.querySelector("span").textContent = now.text ? now.text + share : "";
        if (change !== null && now.change !== change) {
          if (document.querySelector("#ve-results :is(.ve-welcome, .ve-empty)")) parts.get("ve-results")?.("select", { action: "welcome" });
          if (document.querySelector("#ve-table")?.offsetParent) parts.get("ve-table")?.("select", { action: "refresh" });
        }
        change = now.change;
      }
    } catch { /* the server is gone; the page says so when it is asked something */ }
  }
  timer = setTimeout(status, busy ? 1500 : 12000);
}
document.addEventListener("visibilitychange", status);
setTimeout(status, 800);

// Answers may overtake each other: one that comes after the answer to a later question changes nothing, nor does what the
// page shows first. What was done is told all the same.
const TOLD = new Set(["ve-search-said", "ve-suggested"]);
const fetched = window.fetch;
let sent = 0;
let shown = 0;
window.fetch = async (input, init) => {
  const event = String(input).includes("/run/") && typeof init?.body === "string" && showing(JSON.parse(init.body).fn_index);
  if (!event) return fetched(input, init);
  const turn = event.first ? 0 : ++sent;
  const response = await fetched(input, init);
  if (!response.ok) return response;
  const answer = await response.json(); // whole, since of two the one that began first need not end first
  if (turn < shown) answer.data = answer.data.map((value, at) => (TOLD.has(event.names[at]) ? value : { __type__: "update" }));
  shown = Math.max(shown, turn);
  return Response.json(answer);
};

function showing(number) { // what an event changes, if moments are among it
  const { components, dependencies } = window.gradio_config;
  const event = dependencies.find((one) => one.id === number);
  const names = event?.outputs.map((id) => components.find((one) => one.id === id)?.props.elem_id) || [];
  const by = event?.targets.map((target) => target[1]) || []; // fields of dates change, too, when an answer fills them in
  return names.includes("ve-results") && !by.includes("change") && { names, first: by.includes("load") };
}

// Questions are numbered: of two quick ones the server may take up the second first.
const SEARCHES = new Set(["ve-results", "ve-terms", "ve-address", "ve-suggested"]);
let asked = 0;
let waiting = false; // the page stood before the part that asks for what its address says

const LOCAL = new Set(["play", "seek", "close-player", "previous", "next", "replay", "goto", "copy-link", "copy-time", "whole",
  "pick-all", "open-video", "region", "close-notice", "fold"]);
window.vidembed = {
  parts,
  linked() { // what an address asks for, once the page stands
    const { search } = window.location;
    const ask = parts.get("ve-address");
    if (search && ask) ask("select", { action: "address", search });
    waiting = !ask;
  },
  ready: [], // called once the part for uploads stands
  // Called by each of our gr.HTML parts: hands clicks on [data-action] to the server, with the button's data.
  bridge(element, send) {
    const id = element.closest("[id^=ve-]")?.id;
    const trigger = !SEARCHES.has(id) ? send : (name, data) => send(name, { ...data, number: ++asked });
    if (id) parts.set(id, trigger);
    if (id === "ve-address" && waiting) window.vidembed.linked();
    if (id === "ve-upload") window.vidembed.ready.splice(0).forEach((act) => act());
    if (id === "ve-results" || id === "ve-lines" || id === "ve-table") {
      const redrawn = { "ve-results": address, "ve-lines": redraw, "ve-table": picked }[id];
      new MutationObserver(() => redrawn(element)).observe(element, {
        childList: true, subtree: true, attributes: true, attributeFilter: ["data-address", "data-start", "data-marks"],
      });
      redrawn(element);
    }
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-action]");
      if (!button || !element.contains(button) || LOCAL.has(button.dataset.action)) return;
      const data = { ...button.dataset };
      if (data.takes) { // what is ticked in this part
        const chosen = ticks(element).filter((one) => one.checked);
        data.videos = [...new Set(chosen.map((one) => one.dataset.video))].join(",");
        if (data.takes === "clips") data.clip = chosen.map((one) => one.dataset.clip).slice(0, 8).join(",");
      }
      if (data.reads) {
        const field = button.closest("[data-record]")?.querySelector(data.reads);
        data.text = field ? field.value : "";
        drafts.delete(data.clip);
      }
      trigger("select", data);
      setTimeout(status, 400);
    });
  },
};
