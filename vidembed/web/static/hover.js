// What a pointer shows: a moment's frames, which play and follow it, and the pictures of the map.

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

// Gradio's calendar buttons have no name for those who hear the page read.
new MutationObserver(() => {
  document.querySelectorAll("button.calendar:not([aria-label])").forEach((one) => one.setAttribute("aria-label", "Choose a date"));
}).observe(document, { childList: true, subtree: true });
