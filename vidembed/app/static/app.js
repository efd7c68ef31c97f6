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
    player.querySelector(".ve-player-name").textContent = d.name;
    note.textContent = "";
    document.querySelectorAll(".ve-card.ve-now").forEach((card) => card.classList.remove("ve-now"));
    button.closest(".ve-card")?.classList.add("ve-now");
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
    if (action === "close-player") {
      const player = button.closest(".ve-player");
      player.querySelector("video").pause();
      player.hidden = true;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelectorAll("details.ve-menu[open]").forEach((m) => m.removeAttribute("open"));
    const dot = event.target.closest?.("circle[data-action]");
    if (dot && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); play(dot); }
  });

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

  const LOCAL = new Set(["play", "seek", "close-player"]);
  window.vidembed = {
    // Called by each of our gr.HTML parts: hands clicks on [data-action] to the server, with the button's data.
    bridge(element, trigger) {
      element.addEventListener("click", (event) => {
        const button = event.target.closest("[data-action]");
        if (!button || !element.contains(button) || LOCAL.has(button.dataset.action)) return;
        if (button.dataset.confirm && !window.confirm(button.dataset.confirm)) return;
        const data = { ...button.dataset };
        if (data.reads) {
          const field = button.closest("[data-record]")?.querySelector(data.reads);
          data.text = field ? field.value : "";
        }
        trigger("select", data);
      });
    },
  };
})();
