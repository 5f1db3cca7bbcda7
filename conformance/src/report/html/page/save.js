
// A picture as a file of its own, for slides and tickets: the page's style goes with it.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button.save");
  if (!button) return;
  const svg = one(".picture svg", button.closest(".frame")).cloneNode(true);
  const { width, height } = svg.viewBox.baseVal;
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  const style = document.createElementNS(svg.namespaceURI, "style");
  style.textContent = one("#picture-style").textContent;
  svg.insertBefore(style, one("desc", svg) ? one("desc", svg).nextSibling : svg.firstChild);
  const text = new XMLSerializer().serializeToString(svg) + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  link.download = button.dataset.name + (svg.classList.contains("chart") ? "-chart" : "") + ".svg";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
});
