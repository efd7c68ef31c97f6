// Playing a moment: the player, its steps and its timeline.

const stage = (el) => el.closest(".ve-stage") || document;
const playerIn = (el) => stage(el).querySelector(".ve-player") || document.querySelector(".ve-player");

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
  if (window.innerWidth > 900 && player.getBoundingClientRect().top < 0) player.scrollIntoView({ block: "start" });
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
