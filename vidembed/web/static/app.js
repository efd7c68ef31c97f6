// The page's own behaviour: playing moments, the timeline, the map. Everything else is gradio's.
(() => {
  if (window.vidembed) return;

  const stage = (el) => el.closest(".ve-stage") || document;
  const playerIn = (el) => stage(el).querySelector(".ve-player") || document.querySelector(".ve-player");

  // ---- playing ------------------------------------------------------------------------------------------------
  async function play(button) {
    const d = button.dataset;
    const player = playerIn(button);
    if (!player) return;
    const video = player.querySelector("video");
    const note = player.querySelector(".ve-player-note");
    document.querySelectorAll(".ve-player video").forEach((other) => other !== video && other.pause());
    player.hidden = false;
    player.from = button;
    player.key = keyOf(button);
    player.querySelector(".ve-player-name").textContent = d.name;
    player.querySelector(".ve-player-span").textContent = d.span || "";
    note.textContent = "";
    document.querySelectorAll(".ve-now").forEach((shown) => shown.classList.remove("ve-now"));
    (button.closest(".ve-card, .ve-line") || button).classList.add("ve-now");
    const all = choices(player);
    player.querySelectorAll("[data-action=previous], [data-action=next]").forEach((step) => { step.disabled = all.length < 2; });
    player.dataset.piece = d.piece;
    player.dataset.video = d.video;
    load(player, d.src, Number(d.start), Number(d.end));
    timeline(player, d);
    if (player.getBoundingClientRect().top < 0 || window.innerWidth < 900) player.scrollIntoView({ block: "start" });
  }

  // The original where the browser knows it; a transcoded piece where it does not, or when it gives up on it.
  async function load(player, src, start, end) {
    const video = player.querySelector("video");
    const note = player.querySelector(".ve-player-note");
    const ticket = (player.ticket = (player.ticket || 0) + 1);
    const begin = (offset) => {
      if (player.ticket !== ticket) return;
      player.dataset.offset = offset;
      player.classList.toggle("ve-sound", video.videoHeight === 0);
      player.dataset.stop = end; // play the moment, then wait; pressing play goes on
      video.currentTime = Math.max(0, start - offset);
      video.play().catch(() => {}); // without a click just before, browsers may refuse; the controls are there
    };
    const fallback = async () => {
      if (player.ticket !== ticket) return;
      note.textContent = "Preparing this moment for the browser…";
      try {
        const answer = await fetch(`${player.dataset.piece}?start_s=${start}`);
        if (!answer.ok) throw new Error(await answer.text());
        const offset = Number(answer.headers.get("X-Start-S") || 0);
        const blob = await answer.blob();
        if (player.ticket !== ticket) return;
        if (player.blob) URL.revokeObjectURL(player.blob);
        player.blob = URL.createObjectURL(blob);
        video.onerror = () => { note.textContent = "This moment cannot be played here."; };
        video.onloadedmetadata = () => { note.textContent = ""; begin(offset); };
        video.src = player.blob;
      } catch (error) {
        if (player.ticket === ticket) note.textContent = String(error.message || error);
      }
    };
    player.dataset.offset = 0;
    if (!src) return fallback();
    if (video.dataset.src === src && !video.src.startsWith("blob:") && video.readyState > 0) return begin(0);
    video.dataset.src = src;
    video.onerror = fallback;
    video.onloadedmetadata = () => begin(0);
    video.src = src;
  }

  async function timeline(player, d) {
    const box = player.querySelector(".ve-timeline");
    box.innerHTML = "";
    if (!d.curve) return;
    box.innerHTML = '<div class="ve-strip ve-wait" aria-hidden="true"></div>';
    try {
      const answer = await fetch(d.curve);
      if (player.dataset.video !== d.video) return;
      box.innerHTML = answer.ok ? await answer.text() : "";
    } catch { box.innerHTML = ""; }
  }

  // Everything that plays in the same part of the page, in its order.
  const keyOf = (one) => (one?.isConnected ? `${one.dataset.video}@${one.dataset.start}` : "");
  const choices = (player) =>
    [...stage(player).querySelectorAll("[data-action=play]")].filter((one) => one.getClientRects().length);

  function step(player, by) {
    const all = choices(player);
    if (!all.length) return;
    const at = all.indexOf(player.from);
    const next = all[at < 0 ? 0 : (at + by + all.length) % all.length];
    play(next);
    next.scrollIntoView({ block: "nearest" });
  }

  function replay(player) {
    if (player.from) seek(player, Number(player.from.dataset.start), player.from.dataset.end);
  }

  function close(player) {
    player.querySelector("video").pause();
    player.hidden = true;
    document.querySelectorAll(".ve-now").forEach((shown) => shown.classList.remove("ve-now"));
    if (player.from?.isConnected) player.from.focus({ preventScroll: true });
  }

  const openPlayer = () => [...document.querySelectorAll(".ve-player:not([hidden])")].find((player) => player.offsetParent);

  function seek(player, time, end) {
    const video = player.querySelector("video");
    const offset = Number(player.dataset.offset || 0);
    player.dataset.stop = end || "";
    const at = time - offset;
    if (offset > 0 || video.src.startsWith("blob:")) {
      if (at < 0 || at > (video.duration || 0)) return load(player, "", time, Number(end || time + 5));
    }
    video.currentTime = Math.max(0, at);
    video.play().catch(() => {});
  }

  document.addEventListener("timeupdate", (event) => {
    const player = event.target.closest?.(".ve-player");
    if (!player) return;
    const now = event.target.currentTime + Number(player.dataset.offset || 0);
    if (player.dataset.stop && now >= Number(player.dataset.stop) - 0.05 && !event.target.paused) {
      event.target.pause();
      player.dataset.stop = "";
    }
    const strip = player.querySelector(".ve-strip[data-duration]");
    if (!strip) return;
    const head = strip.querySelector(".ve-head");
    if (head) head.style.left = `${Math.min(100, (100 * now) / Number(strip.dataset.duration))}%`;
  }, true);

  // ---- clicks -------------------------------------------------------------------------------------------------
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
    if (action === "replay") replay(button.closest(".ve-player"));
    if (button.dataset.goto) goTo(button.dataset.goto);
  });

  function goTo(tab) {
    document.querySelector(`[role=tab][data-tab-id="${tab}"]`)?.click();
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
    const line = event.target.closest?.(".ve-line");
    if (line && event.key === "Enter" && (event.ctrlKey || event.metaKey)) line.querySelector(".ve-save")?.click();
    if (writing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    const search = document.querySelector("#ve-text textarea");
    if (event.key === "/" && search?.offsetParent) { event.preventDefault(); search.focus(); search.select(); }
    const player = openPlayer();
    if (!player) return;
    if (event.key === "j") step(player, 1);
    if (event.key === "k") step(player, -1);
    if (event.key === "r") replay(player);
  });

  // ---- captions: what is being written survives when the list is drawn anew ---------------------------------------
  const drafts = new Map(); // clip -> text that is not saved
  document.addEventListener("input", (event) => {
    const field = event.target.closest?.(".ve-line textarea");
    if (!field) return;
    const changed = field.value !== field.defaultValue;
    field.closest(".ve-line").classList.toggle("ve-changed", changed);
    if (changed) drafts.set(field.dataset.clip, field.value); else drafts.delete(field.dataset.clip);
  });
  let writingAt = null; // {clip, from, to} of the field that had the focus
  document.addEventListener("selectionchange", () => {
    const field = document.activeElement?.closest?.(".ve-line textarea");
    writingAt = field ? { clip: field.dataset.clip, from: field.selectionStart, to: field.selectionEnd } : writingAt;
  });
  document.addEventListener("focusin", (event) => { if (!event.target.closest?.(".ve-line textarea")) writingAt = null; });

  function redraw(lines) {
    for (const field of lines.querySelectorAll("textarea[data-clip]")) {
      if (drafts.has(field.dataset.clip)) {
        field.value = drafts.get(field.dataset.clip);
        field.closest(".ve-line").classList.toggle("ve-changed", field.value !== field.defaultValue);
      }
      if (writingAt?.clip === field.dataset.clip && document.activeElement === document.body) {
        field.focus({ preventScroll: true });
        field.setSelectionRange(writingAt.from, writingAt.to);
      }
    }
  }

  window.addEventListener("beforeunload", (event) => { if (drafts.size) event.preventDefault(); });

  // ---- the address says what is searched, so that it can be kept and passed on ------------------------------------
  function address(results) {
    const player = stage(results).querySelector(".ve-player:not([hidden])");
    if (player && player.key !== keyOf(player.from)) { // gradio reuses elements: this one shows another moment now
      document.querySelectorAll(".ve-now").forEach((shown) => shown.classList.remove("ve-now"));
      const same = choices(player).find((one) => keyOf(one) === player.key);
      if (same) { player.from = same; same.closest(".ve-card")?.classList.add("ve-now"); }
      else if (player.querySelector("video").paused && results.querySelector(".ve-bar")) player.hidden = true;
    }
    const words = results.querySelector(".ve-bar[data-q]")?.dataset.q;
    if (words === undefined) return;
    const url = new URL(window.location.href);
    if (words) url.searchParams.set("q", words); else url.searchParams.delete("q");
    if (url.href !== window.location.href) window.history.replaceState(window.history.state, "", url);
    document.title = words ? `${words} – vidembed` : "vidembed";
  }

  // ---- what runs, on every tab ------------------------------------------------------------------------------------
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

  // ---- the map: thumbnails on hover ---------------------------------------------------------------------------
  const tip = document.createElement("div");
  tip.className = "ve-tip";
  tip.hidden = true;
  const show = (event) => {
    const dot = event.target.closest?.(".ve-map circle");
    if (!dot) { tip.hidden = true; return; }
    if (!tip.isConnected) document.body.append(tip);
    tip.innerHTML = "";
    const image = new Image();
    image.src = dot.dataset.thumb;
    image.alt = "";
    const text = document.createElement("span");
    text.textContent = dot.getAttribute("aria-label");
    tip.append(image, text);
    tip.hidden = false;
    const box = dot.getBoundingClientRect();
    tip.style.left = `${Math.min(window.innerWidth - 200, Math.max(8, box.left - 80))}px`;
    tip.style.top = `${box.top > 190 ? box.top - 170 : box.bottom + 10}px`;
  };
  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", show);

  const LOCAL = new Set(["play", "seek", "close-player", "previous", "next", "replay", "goto"]);
  window.vidembed = {
    // Called by each of our gr.HTML parts: hands clicks on [data-action] to the server, with the button's data.
    bridge(element, trigger) {
      const id = element.closest("[id^=ve-]")?.id;
      if (id) parts.set(id, trigger);
      if (id === "ve-results" || id === "ve-lines") {
        const drawn = id === "ve-results" ? address : redraw;
        new MutationObserver(() => drawn(element)).observe(element, {
          childList: true, subtree: true, attributes: true, attributeFilter: ["data-q", "data-start"],
        });
        drawn(element);
      }
      element.addEventListener("click", (event) => {
        const button = event.target.closest("[data-action]");
        if (!button || !element.contains(button) || LOCAL.has(button.dataset.action)) return;
        const data = { ...button.dataset };
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
})();
