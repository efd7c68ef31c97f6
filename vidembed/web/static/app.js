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
    player.dataset.playable = d.playable || "";
    player.dataset.picture = d.picture || "1";
    toAddress(d.video, d.start);
    load(player, d.src, Number(d.start), Number(d.end));
    timeline(player, d);
    if (player.getBoundingClientRect().top < 0 || window.innerWidth < 900) player.scrollIntoView({ block: "start" });
  }

  const codecs = new Map(); // video -> whether the browser plays the file itself, picture and sound
  async function plays(player) {
    const { video, playable } = player.dataset;
    if (!playable) return true;
    if (!codecs.has(video)) {
      codecs.set(video, fetch(playable).then((answer) => answer.json()).then((said) => said.plays).catch(() => true));
    }
    return codecs.get(video);
  }

  // The original where the browser knows it; a transcoded piece where it does not, or when it gives up on it.
  async function load(player, src, start, end) {
    const video = player.querySelector("video");
    const note = player.querySelector(".ve-player-note");
    const ticket = (player.ticket = (player.ticket || 0) + 1);
    const clear = () => { // the old film must not play on under the new name
      video.onerror = video.onloadedmetadata = null;
      video.pause();
      video.removeAttribute("src");
      delete video.dataset.src;
      video.load();
    };
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
      clear();
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
    if (video.dataset.src !== src) clear();
    if (!(await plays(player))) return fallback();
    if (player.ticket !== ticket) return;
    if (video.dataset.src === src && !video.src.startsWith("blob:") && video.readyState > 0) return begin(0);
    video.dataset.src = src;
    video.onerror = fallback;
    // Pictures that a browser does not know give no error: the film is there, without them.
    const blind = () => player.dataset.picture === "1" && video.videoWidth === 0;
    video.onloadedmetadata = () => (blind() ? fallback() : begin(0));
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
    toAddress("");
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
    if (action === "copy-link") copy(button, window.location.href);
    if (action === "copy-time") copy(button, timecode(button.closest(".ve-player")));
    if (action === "whole") whole(button.closest(".ve-player"));
    if (action === "open-video") goTo("search", `?in=${button.dataset.video}`);
    if (action === "pick-all") pickAll(button);
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

  // ---- ticked moments: the exports take only them ------------------------------------------------------------------
  const ticks = (results) => [...results.querySelectorAll(".ve-pick input")];
  const tell = (part, text) => { if (part && part.textContent !== text) part.textContent = text; }; // a change is seen, and drawn again
  function picked(results) {
    const all = ticks(results);
    const chosen = all.filter((one) => one.checked).map((one) => one.dataset.place);
    const said = results.querySelector("[data-picked]");
    const none = results.querySelector("a[data-export]") ? "none selected: all are exported" : "";
    tell(said, chosen.length ? `${chosen.length} selected` : none);
    results.querySelectorAll("[data-takes]").forEach((one) => { one.disabled = !chosen.length; });
    const turn = results.querySelector("[data-action=pick-all]");
    tell(turn, chosen.length === all.length && all.length ? "Select none" : "Select all");
    for (const link of results.querySelectorAll("a[data-export]")) {
      const url = new URL(link.href);
      if (chosen.length) url.searchParams.set("only", chosen.join(",")); else url.searchParams.delete("only");
      link.href = url.href;
    }
  }
  function pickAll(button) {
    const results = button.closest("#ve-results, #ve-table");
    const on = ticks(results).some((one) => !one.checked);
    ticks(results).forEach((one) => { one.checked = on; });
    picked(results);
  }
  document.addEventListener("change", (event) => {
    const part = event.target.closest?.(".ve-pick")?.closest("#ve-results, #ve-table");
    if (part) picked(part);
  });
  // Cutting takes a while: say so, and hand the file over when it is there.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest?.("a[data-export=zip], a[data-export=mp4]");
    if (!link || link.href.startsWith("blob:")) return;
    event.preventDefault();
    const label = link.dataset.label || (link.dataset.label = link.textContent);
    if (link.dataset.busy) return;
    link.dataset.busy = "1";
    const ticket = crypto.getRandomValues(new Uint32Array(3)).join("");
    const url = new URL(link.href);
    url.searchParams.set("ticket", ticket);
    const state = new URL(url);
    state.pathname = url.pathname.replace(/export\/[^/]*$/, `cutting/${ticket}`);
    state.search = "";
    const tell = async () => {
      const { done, total } = await fetch(state).then((answer) => answer.json()).catch(() => ({}));
      if (link.dataset.busy) link.textContent = !total ? "Cutting…" : done < total ? `Cutting ${done + 1} of ${total}…` : "Finishing…";
    };
    const clock = setInterval(tell, 500);
    link.textContent = "Cutting…";
    try {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(await answer.text());
      const made = document.createElement("a");
      made.href = URL.createObjectURL(await answer.blob());
      made.download = `moments.${link.dataset.export}`;
      made.click();
      delete link.dataset.busy;
      link.textContent = label;
    } catch (error) { delete link.dataset.busy; link.textContent = String(error.message || error); }
    clearInterval(clock);
  });

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
      } else if (field !== document.activeElement) field.value = field.defaultValue; // what was typed and saved before stays otherwise
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

  // ---- a moment's frames on hover: they play, and follow the pointer ---------------------------------------------------
  let hovered = null;
  function stopFilm() {
    if (!hovered) return;
    clearInterval(hovered.timer);
    hovered.box?.remove();
    hovered = null;
  }
  document.addEventListener("pointerover", (event) => {
    const thumb = event.target.closest?.(".ve-thumb[data-film]");
    if (hovered && hovered.thumb !== thumb) stopFilm();
    if (!thumb || hovered || event.pointerType !== "mouse") return;
    const mine = (hovered = { thumb, timer: 0, place: 0, box: null });
    const film = new Image();
    mine.timer = setTimeout(() => { film.src = thumb.dataset.film; }, 120);
    film.onload = () => {
      if (hovered !== mine || film.naturalWidth < film.naturalHeight) return;
      const box = (mine.box = document.createElement("span"));
      box.className = "ve-film";
      const inner = document.createElement("i");
      inner.style.aspectRatio = thumb.dataset.ratio;
      inner.style.backgroundImage = `url("${film.src}")`;
      box.append(inner);
      thumb.insertBefore(box, thumb.querySelector(".ve-span"));
      const frame = (place) => { mine.place = place; inner.style.backgroundPosition = `${(100 * place) / (FILM - 1)}% 0`; };
      mine.frame = frame;
      frame(0);
      mine.timer = setInterval(() => frame((mine.place + 1) % FILM), 320);
    };
  });
  document.addEventListener("pointermove", (event) => {
    if (!hovered?.frame || event.movementX === 0) return;
    clearInterval(hovered.timer);
    const box = hovered.thumb.getBoundingClientRect();
    hovered.frame(Math.max(0, Math.min(FILM - 1, Math.floor((FILM * (event.clientX - box.left)) / box.width))));
  });
  document.addEventListener("pointerleave", stopFilm);
  const FILM = 8; // frames side by side

  // ---- gradio's calendar buttons have no name for those who hear the page read ----------------------------------------
  new MutationObserver(() => {
    document.querySelectorAll("button.calendar:not([aria-label])").forEach((one) => one.setAttribute("aria-label", "Choose a date"));
  }).observe(document, { childList: true, subtree: true });

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

  const LOCAL = new Set(["play", "seek", "close-player", "previous", "next", "replay", "goto", "copy-link", "copy-time", "whole",
    "pick-all", "open-video", "region"]);
  window.vidembed = {
    parts,
    ready: [], // called once the part for uploads stands
    // Called by each of our gr.HTML parts: hands clicks on [data-action] to the server, with the button's data.
    bridge(element, trigger) {
      const id = element.closest("[id^=ve-]")?.id;
      if (id) parts.set(id, trigger);
      if (id === "ve-upload") window.vidembed.ready.splice(0).forEach((act) => act());
      if (id === "ve-results" || id === "ve-lines" || id === "ve-table") {
        const redrawn = { "ve-results": address, "ve-lines": redraw, "ve-table": picked }[id];
        new MutationObserver(() => redrawn(element)).observe(element, {
          childList: true, subtree: true, attributes: true, attributeFilter: ["data-address", "data-start"],
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
})();
