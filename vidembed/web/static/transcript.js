// The transcript beside the player: filled when a video is opened, marks the line of now, finds words, copies text.
(() => {
  const shown = (pane) => pane.querySelector(".ve-says-list:not([hidden])");
  const lines = (pane) => [...(shown(pane)?.children || [])];

  async function fill(player) {
    const pane = player.querySelector(".ve-says");
    const address = player.from?.dataset.transcript;
    if (!pane || pane.dataset.video === player.dataset.video) return;
    pane.dataset.video = player.dataset.video;
    pane.hidden = true;
    const body = pane.querySelector(".ve-says-body");
    body.innerHTML = "";
    if (!address) return;
    try {
      const answer = await fetch(address);
      const text = answer.ok ? await answer.text() : "";
      if (pane.dataset.video !== player.dataset.video || !text) return;
      body.innerHTML = text;
      pane.hidden = false;
      pane.open = window.innerWidth >= 900; // on a phone the player keeps its place above the answers
      follow(player);
    } catch { /* the server is gone; the page says so when it is asked something */ }
  }

  // The last line that has begun; of lines of a quarter of an hour a second this is found in a dozen steps.
  function lineAt(all, now) {
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (Number(all[middle].dataset.start) <= now + 0.05) low = middle + 1; else high = middle;
    }
    return low ? all[low - 1] : null;
  }

  function follow(player) {
    const pane = player.querySelector(".ve-says:not([hidden])[open]");
    if (!pane) return;
    const now = player.querySelector("video").currentTime + Number(player.dataset.offset || 0);
    const at = lineAt(lines(pane), now);
    const before = pane.querySelector("[aria-current]");
    if (at === before) return;
    before?.removeAttribute("aria-current");
    if (!at) return;
    at.setAttribute("aria-current", "true");
    const list = shown(pane);
    const reading = Date.now() - Number(pane.dataset.touched || 0) < 4000 || pane.querySelector("input").value;
    if (!reading) list.scrollTop = at.offsetTop - list.offsetTop - (list.clientHeight - at.offsetHeight) / 2;
  }

  const escaped = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  function find(pane) {
    const words = pane.querySelector("input").value.trim();
    const pattern = words ? new RegExp(escaped(words), "giu") : null;
    let count = 0;
    for (const line of pane.querySelectorAll(".ve-says-list > li")) {
      const span = line.querySelector("span");
      const text = span.textContent;
      const hits = pattern ? [...text.matchAll(pattern)] : [];
      line.hidden = !!pattern && !hits.length;
      if (!hits.length) { if (span.children.length) span.textContent = text; continue; }
      if (line.parentElement === shown(pane)) count += 1;
      span.textContent = "";
      let at = 0;
      for (const hit of hits) {
        const mark = document.createElement("mark");
        mark.textContent = hit[0];
        span.append(text.slice(at, hit.index), mark);
        at = hit.index + hit[0].length;
      }
      span.append(text.slice(at));
    }
    pane.querySelector("[role=status]").textContent = pattern ? `${count} line${count === 1 ? "" : "s"}` : "";
  }

  async function copy(button, pane) {
    const text = lines(pane).filter((line) => !line.hidden).map((line) =>
      `${line.querySelector("time").textContent}  ${line.querySelector("span").textContent}`).join("\n");
    try { await navigator.clipboard.writeText(`${text}\n`); button.textContent = "Copied"; }
    catch { window.prompt("Copy text", text); }
    setTimeout(() => { button.textContent = "Copy text"; }, 1500);
  }

  new MutationObserver((changes) => {
    for (const { target } of changes) if (target.matches(".ve-player")) fill(target);
  }).observe(document.documentElement, { subtree: true, attributes: true, attributeFilter: ["data-video"] });

  const now = (event) => { const player = event.target.closest?.(".ve-player"); if (player) follow(player); };
  ["timeupdate", "seeked", "toggle"].forEach((name) => document.addEventListener(name, now, true));
  document.addEventListener("wheel", (event) => {
    const pane = event.target.closest?.(".ve-says");
    if (pane) pane.dataset.touched = Date.now();
  }, { passive: true });
  document.addEventListener("input", (event) => {
    const pane = event.target.closest?.(".ve-says");
    if (pane) find(pane);
  });
  document.addEventListener("keydown", (event) => { // Enter goes from one found line to the next
    const pane = event.key === "Enter" && event.target.matches?.(".ve-says input") && event.target.closest(".ve-says");
    if (!pane) return;
    event.preventDefault();
    const found = lines(pane).filter((line) => !line.hidden);
    const next = found[found.indexOf(pane.querySelector("[aria-current]")) + 1] || found[0];
    next?.querySelector("button").click();
  });
  document.addEventListener("click", (event) => {
    const pane = event.target.closest?.(".ve-says");
    const kind = event.target.closest?.("[data-says]")?.dataset.says;
    if (!pane) return;
    if (kind) {
      pane.querySelectorAll(".ve-says-list").forEach((list) => { list.hidden = list.dataset.kind !== kind; });
      pane.querySelectorAll("[data-says]").forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.says === kind)));
      find(pane);
      follow(pane.closest(".ve-player"));
    }
    const copies = event.target.closest("[data-copy-text]");
    if (copies) copy(copies, pane);
  });
})();
