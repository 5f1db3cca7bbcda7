
// A picture as large as the screen, for a lecture. It is the same one, lent: its ids stand on the page once.
{
  const large = one("#large");
  const room = one("#large-room");
  let lender = null;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.enlarge");
    if (!button) return;
    lender = one(".picture", button.closest(".frame"));
    for (const side of ["--w", "--h"]) room.style.setProperty(side, lender.style.getPropertyValue(side));
    // The page keeps its place.
    lender.style.minHeight = lender.clientHeight + "px";
    room.append(...lender.childNodes);
    large.showModal();
    room.scrollTop = 0;
    room.focus();
  });
  large.addEventListener("close", () => {
    if (!lender) return;
    lender.append(...room.childNodes);
    lender.style.minHeight = "";
    lender = null;
  });
  one("#large-close").addEventListener("click", () => large.close());
}
