// Uploads piece by piece: with a percentage, Cancel, whole folders, and going on after a reload or a lost connection.
(() => {
  const PIECE = 1 << 20;
  const GROUP = 8; // so many files are added in one go
  const KEPT = 24 * 3600 * 1000;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const box = () => document.querySelector("#ve-upload .ve-drop");
  const tab = sessionStorage.getItem("ve-tab") || crypto.getRandomValues(new Uint32Array(2)).join("-");
  sessionStorage.setItem("ve-tab", tab); // the same after a reload, another in another tab

  // ---- what a reload must not lose -----------------------------------------------------------------------------
  const opened = new Promise((done) => {
    try {
      const asked = indexedDB.open("vidembed", 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore("uploads", { keyPath: "key" });
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => done(null);
    } catch { done(null); } // private windows: uploads go on, but not after a reload
  });
  async function store(act) {
    const base = await opened;
    if (!base) return null;
    return new Promise((done) => {
      const change = base.transaction("uploads", "readwrite");
      const asked = act(change.objectStore("uploads"));
      change.oncomplete = () => done(asked?.result);
      change.onabort = change.onerror = () => done(null); // no room: as without
    });
  }
  const keep = ({ key, name, file, id }) => store((all) => all.put({ key, name, file, id, tab, at: Date.now() }));
  const forget = (one) => store((all) => all.delete(one.key));

  // ---- the list -------------------------------------------------------------------------------------------------
  const uploads = []; // {key, name, file, id, held, state, why}; state: waiting, going, here, failed
  let busy = false;

  function draw() {
    const list = document.querySelector("#ve-upload .ve-uploads");
    if (!list) return;
    const all = uploads.reduce((sum, one) => sum + one.file.size, 0);
    const held = uploads.reduce((sum, one) => sum + (one.held || 0), 0);
    const going = uploads.filter((one) => one.state !== "failed");
    list.textContent = "";
    if (going.length > 1) {
      const head = document.createElement("p");
      head.className = "ve-why";
      head.textContent = `Uploading ${going.length} files, ${Math.floor((100 * held) / all)}%`;
      list.append(head);
    }
    const shown = [...uploads].sort((a, b) => (b.state === "going") - (a.state === "going")).slice(0, 12);
    for (const one of shown) {
      const share = Math.floor((100 * (one.held || 0)) / one.file.size);
      const row = document.createElement("div");
      row.className = "ve-job";
      row.innerHTML = '<div class="ve-job-head"><strong></strong><button type="button" class="ve-btn"></button></div>' +
        '<div class="ve-progress" role="progressbar" aria-valuemin="0" aria-valuemax="100"><div></div></div><span class="ve-why"></span>';
      row.querySelector("strong").textContent = one.name;
      const button = row.querySelector("button");
      button.textContent = one.state === "failed" ? "Close" : "Cancel";
      button.setAttribute("aria-label", `${button.textContent}: ${one.name}`);
      button.onclick = () => drop(one);
      const bar = row.querySelector(".ve-progress");
      bar.setAttribute("aria-valuenow", share);
      bar.setAttribute("aria-label", `Uploading ${one.name}`);
      bar.firstChild.style.width = `${share}%`;
      bar.hidden = one.state === "failed";
      row.querySelector(".ve-why").textContent = one.why || (one.state === "waiting" ? "waiting" : `${share}% uploaded`);
      list.append(row);
    }
    if (uploads.length > shown.length) list.append(`${uploads.length - shown.length} more`);
  }

  async function drop(one) {
    uploads.splice(uploads.indexOf(one), 1);
    one.stop?.abort();
    forget(one);
    draw();
    await takeBack(one);
  }
  const takeBack = (one) => one.id && fetch(`${box().dataset.url}/${one.id}`, { method: "DELETE" }).catch(() => {});

  // ---- sending --------------------------------------------------------------------------------------------------
  async function ask(one, address, given) {
    const answer = await fetch(`${box().dataset.url}${address}`, { signal: one.stop.signal, ...given });
    if (!answer.ok) throw Object.assign(new Error(await answer.text()), { refused: answer.status < 500 });
    return answer.json();
  }

  async function send(one) {
    one.stop = new AbortController();
    one.state = "going";
    if (one.id) {
      const known = await ask(one, `/${one.id}`).catch((error) => { if (!error.refused) throw error; return null; });
      if (known) one.held = known.held; else one.id = "";
    }
    if (!one.id) {
      const begun = await ask(one, `?name=${encodeURIComponent(one.name)}&size=${one.file.size}`, { method: "POST", signal: null });
      Object.assign(one, begun);
      if (!uploads.includes(one)) return takeBack(one); // cancelled meanwhile: only now its id is known
      await keep(one);
    }
    while (one.held < one.file.size) {
      draw();
      const body = one.file.slice(one.held, one.held + PIECE);
      one.held = (await ask(one, `/${one.id}?at=${one.held}`, { method: "PUT", body })).held;
    }
    one.state = "here";
    one.why = "uploaded, looked at next";
  }

  function handOver() {
    const here = uploads.filter((one) => one.state === "here");
    const more = uploads.some((one) => one.state === "waiting");
    const trigger = window.vidembed.parts.get("ve-upload");
    if (!here.length || (more && here.length < GROUP) || !trigger) return;
    for (const one of here) { uploads.splice(uploads.indexOf(one), 1); forget(one); }
    trigger("select", { action: "arrived", files: JSON.stringify(here.map(({ id, name }) => ({ id, name }))) });
  }

  async function run() {
    if (busy) return;
    busy = true;
    for (let one; (one = uploads.find((other) => other.state === "waiting")); ) {
      for (let pause = 1000; uploads.includes(one) && one.state !== "here"; pause = Math.min(30000, 2 * pause)) {
        try { await send(one); } catch (error) {
          if (!uploads.includes(one)) break;
          if (error.refused) { one.state = "failed"; one.why = error.message; forget(one); break; }
          one.why = "the connection is lost; trying again…";
          draw();
          await wait(pause);
          one.why = "";
        }
      }
      handOver();
      draw();
    }
    busy = false;
    handOver();
    draw();
  }

  function take(files) {
    const known = new Set(box().dataset.kinds.split(" "));
    const media = [...files].filter((file) => known.has(file.name.slice(file.name.lastIndexOf(".")).toLowerCase()));
    const chosen = media.length ? media : [...files].slice(0, 3); // the server says why it takes none of them
    chosen.forEach((file, place) => uploads.push({ key: `${tab}/${Date.now()}/${place}`, name: file.name, file, id: "", held: 0, state: "waiting" }));
    draw();
    run();
  }

  // ---- choosing and dropping ------------------------------------------------------------------------------------
  document.addEventListener("change", (event) => {
    if (!event.target.matches?.("#ve-upload input[type=file]")) return;
    take(event.target.files);
    event.target.value = "";
  });
  async function inside(entry) { // the files of what was dropped, folders with all in them
    if (entry.isFile) return [await new Promise((done, fail) => entry.file(done, fail))];
    const reader = entry.createReader(), found = [];
    for (let some; (some = await new Promise((done, fail) => reader.readEntries(done, fail))).length; ) {
      for (const one of some) found.push(...(await inside(one)));
    }
    return found;
  }
  document.addEventListener("dragover", (event) => {
    const over = event.target.closest?.("#ve-upload .ve-drop");
    if (!over) return;
    event.preventDefault();
    over.classList.add("ve-over");
  });
  document.addEventListener("dragleave", (event) => event.target.closest?.("#ve-upload .ve-drop")?.classList.remove("ve-over"));
  document.addEventListener("drop", async (event) => {
    const over = event.target.closest?.("#ve-upload .ve-drop");
    if (!over) return;
    event.preventDefault();
    over.classList.remove("ve-over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const found = (await Promise.all(entries.map(inside))).flat();
    if (found.length) take(found);
  });

  // ---- after a reload -------------------------------------------------------------------------------------------
  window.vidembed.ready.push(async () => {
    const all = (await store((kept) => kept.getAll())) || [];
    for (const one of all) {
      if (Date.now() - one.at > KEPT) forget(one);
      else if (one.tab === tab && !uploads.some((other) => other.key === one.key)) {
        uploads.push({ ...one, held: 0, state: "waiting" });
      }
    }
    draw();
    run();
  });
})();
