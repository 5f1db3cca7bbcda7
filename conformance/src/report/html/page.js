"use strict";
(() => {
  const one = (query, of) => (of || document).querySelector(query);
  const all = (query, of) => Array.from((of || document).querySelectorAll(query));
  const rows = all("tr[data-claim]");
  const entries = new Map(all("details.entry").map((entry) => [entry.dataset.claim, entry]));
  const fields = ["text", "testbed", "subject", "outcome", "modality"];
  const field = Object.fromEntries(fields.map((name) => [name, one("#f-" + name)]));

  // What needs a script is shown only where there is one.
  all("#filters, #open-all, #close-all, button.copy").forEach((it) => { it.hidden = false; });

  const filter = () => {
    const wanted = Object.fromEntries(fields.map((name) => [name, field[name].value.trim()]));
    const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
    const placed = (it) =>
      (!wanted.testbed || it.dataset.bed === wanted.testbed) &&
      (!wanted.subject || it.dataset.subject === wanted.subject);
    let found = 0;
    for (const row of rows) {
      const cells = all("td.cell", row);
      const fits =
        (!wanted.modality || row.dataset.modality === wanted.modality) &&
        words.every((word) => row.dataset.words.includes(word)) &&
        cells.some((cell) => placed(cell) && (!wanted.outcome || cell.dataset.outcome === wanted.outcome));
      row.hidden = !fits;
      entries.get(row.dataset.claim).hidden = !fits;
      found += fits ? 1 : 0;
      for (const cell of cells) {
        cell.classList.toggle("dim", Boolean(wanted.outcome) && cell.dataset.outcome !== wanted.outcome);
      }
    }
    // Columns of which nothing is asked for go.
    const subjects = new Map(all("td.cell").map((cell) => [cell.dataset.bed, cell.dataset.subject]));
    for (const it of all("[data-bed]")) {
      const bed = it.dataset.bed;
      it.hidden =
        (Boolean(wanted.testbed) && bed !== wanted.testbed) ||
        (Boolean(wanted.subject) && subjects.get(bed) !== wanted.subject);
    }
    for (const group of all("div[data-group]")) {
      const empty = !all("tr[data-claim]", group).some((row) => !row.hidden);
      group.hidden = empty;
      all("h3[data-group]").filter((it) => it.dataset.group === group.dataset.group)
        .forEach((it) => { it.hidden = empty; });
    }
    one("#found").textContent = found + " of " + rows.length + " claims";
    one("#none").hidden = found > 0;
  };
  for (const name of fields) {
    field[name].addEventListener("input", filter);
    field[name].addEventListener("change", filter);
  }
  one("#f-reset").addEventListener("click", () => {
    for (const name of fields) field[name].value = "";
    filter();
    field.text.focus();
  });

  // A link to a claim opens it.
  const go = () => {
    const entry = entries.get(decodeURIComponent(location.hash.slice(1)));
    if (!entry) return;
    entry.open = true;
    entry.scrollIntoView({ block: "start" });
    one("summary", entry).focus({ preventScroll: true });
  };
  window.addEventListener("hashchange", go);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) go();
  });
  go();

  const open = (value) => entries.forEach((entry) => { entry.open = value; });
  one("#open-all").addEventListener("click", () => open(true));
  one("#close-all").addEventListener("click", () => open(false));

  // On paper nothing can be opened.
  let before = [];
  window.addEventListener("beforeprint", () => {
    before = all("details").filter((it) => !it.open);
    before.forEach((it) => { it.open = true; });
  });
  window.addEventListener("afterprint", () => before.forEach((it) => { it.open = false; }));

  // Where the browser refuses the clipboard to a file, the old way works; where that does not, the text is marked.
  const select = (code) => {
    const range = document.createRange();
    range.selectNodeContents(code);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return selection;
  };
  const copyAsOfOld = (code) => {
    const selection = select(code);
    let copied = false;
    try { copied = document.execCommand("copy"); } catch { copied = false; }
    if (copied) selection.removeAllRanges();
    return copied;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const code = one("code", button.parentElement);
    const told = one(".copied", button.parentElement);
    let copied = false;
    try {
      await navigator.clipboard.writeText(code.textContent);
      copied = true;
    } catch {
      copied = copyAsOfOld(code);
    }
    told.textContent = copied ? "Copied" : "Marked: press Ctrl+C";
    if (copied) setTimeout(() => { told.textContent = ""; }, 4000);
  });
})();
