// Captions: what is being written survives when the list is drawn anew.

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
