(() => {
  const opening = document.getElementById("ve-opening");
  const input = opening.querySelector("input");
  input.focus();
  opening.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!input.value.trim()) return;
    const asked = new URLSearchParams({ q: input.value });
    history.replaceState(null, "", `?${asked}`); // what an address asks for is searched once the page stands
    opening.querySelector("p").textContent = "Searching as soon as the page is ready…";
  });
  const look = () => {
    const text = document.querySelector("#ve-text textarea");
    if (!text) return;
    watch.disconnect();
    if (input.value) {
      text.value = input.value;
      text.dispatchEvent(new Event("input", { bubbles: true }));
    }
    opening.remove();
    text.focus();
  };
  const watch = new MutationObserver(look);
  watch.observe(document.body, { childList: true, subtree: true });
  look();
})();
