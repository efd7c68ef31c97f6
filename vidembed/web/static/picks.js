// Ticked moments and videos: the exports take only them.

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
