// Draw a box on the picture that the player shows, and search for what is in it.
(() => {
  // Where the picture is inside the player: films of another shape have bars beside them.
  function shown(video) {
    const box = video.getBoundingClientRect();
    const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);
    const width = video.videoWidth * scale, height = video.videoHeight * scale;
    return { left: box.left + (box.width - width) / 2, top: box.top + (box.height - height) / 2, width, height };
  }

  function stop(player) {
    player.querySelector(".ve-region")?.remove();
    player.querySelector("[data-action=region]").setAttribute("aria-pressed", "false");
    player.querySelector(".ve-player-note").textContent = "";
  }

  function begin(player) {
    const video = player.querySelector("video");
    const note = player.querySelector(".ve-player-note");
    if (player.querySelector(".ve-region")) return stop(player);
    if (!video.videoWidth) { note.textContent = "There is no picture here."; return; }
    video.pause();
    note.textContent = "Draw a box around what to look for; Enter takes the whole picture, Esc leaves.";
    player.querySelector("[data-action=region]").setAttribute("aria-pressed", "true");
    const layer = document.createElement("div");
    layer.className = "ve-region";
    layer.tabIndex = 0;
    layer.setAttribute("role", "application");
    layer.setAttribute("aria-label", "Draw a box around what to look for");
    const box = document.createElement("i");
    layer.append(box);
    player.querySelector(".ve-screen").append(layer);
    layer.focus({ preventScroll: true });
    let from = null;
    const share = (event) => {
      const at = shown(video);
      const inside = (value) => Math.min(1, Math.max(0, value));
      return [inside((event.clientX - at.left) / at.width), inside((event.clientY - at.top) / at.height)];
    };
    const drawn = (event) => {
      const [x, y] = share(event);
      return [Math.min(x, from[0]), Math.min(y, from[1]), Math.abs(x - from[0]), Math.abs(y - from[1])];
    };
    const search = (part) => {
      const time = (video.currentTime + Number(player.dataset.offset || 0)).toFixed(3);
      const region = `${player.dataset.video}@${time}@${part.map((one) => one.toFixed(4)).join(",")}`;
      stop(player);
      document.querySelector('[role=tab][data-tab-id="search"]')?.click();
      window.vidembed.parts.get("ve-address")?.("select", { action: "region", region });
    };
    layer.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      layer.setPointerCapture(event.pointerId);
      from = share(event);
    });
    layer.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [x, y, width, height] = drawn(event);
      const at = shown(video), own = layer.getBoundingClientRect();
      box.style.left = `${at.left - own.left + x * at.width}px`;
      box.style.top = `${at.top - own.top + y * at.height}px`;
      box.style.width = `${width * at.width}px`;
      box.style.height = `${height * at.height}px`;
    });
    layer.addEventListener("pointerup", (event) => {
      const part = from && drawn(event);
      from = null;
      if (part && part[2] > 0.02 && part[3] > 0.02) search(part);
    });
    layer.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") stop(player);
      if (event.key === "Enter") search([0, 0, 1, 1]);
    });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-action=region]");
    if (button) begin(button.closest(".ve-player"));
  });
  document.addEventListener("play", (event) => {
    const player = event.target.closest?.(".ve-player");
    if (player?.querySelector(".ve-region")) stop(player);
  }, true);
})();
