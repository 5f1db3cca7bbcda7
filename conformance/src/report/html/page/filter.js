
// Filters: all that are set count, and they stand in the address.
{
  const rows = all("tr[data-claim]").map((row) => ({
    row,
    claim: row.dataset.claim,
    modality: row.dataset.modality,
    words: row.dataset.words,
    cells: all("td.cell", row).map((it) => ({
      it,
      testbed: it.dataset.bed,
      subject: it.dataset.subject,
      outcome: it.dataset.outcome,
      fails: "fails" in it.dataset,
    })),
  }));
  const names = ["text", "testbed", "subject", "outcome", "modality"];
  const field = Object.fromEntries(names.map((name) => [name, one("#f-" + name)]));
  const subjects = new Map(rows.flatMap(({ cells }) => cells.map((cell) => [cell.testbed, cell.subject])));

  const ends = (cell, outcome) => (outcome === "failed" ? cell.fails : cell.outcome === outcome);
  const matches = (row, wanted) =>
    (!wanted.modality || row.modality === wanted.modality) &&
    wanted.text.toLowerCase().split(/\s+/).every((word) => row.words.includes(word)) &&
    row.cells.some((cell) =>
      (!wanted.testbed || cell.testbed === wanted.testbed) &&
      (!wanted.subject || cell.subject === wanted.subject) &&
      (!wanted.outcome || ends(cell, wanted.outcome)));
  const count = (wanted) => rows.filter((row) => matches(row, wanted)).length;

  // Each choice says how many claims it leaves.
  const choices = names.slice(1).flatMap((name) =>
    all("option", field[name]).map((option) => ({ name, option, word: option.textContent })));
  const tell = (wanted) => {
    for (const { name, option, word } of choices) {
      const left = count({ ...wanted, [name]: option.value });
      option.textContent = word + " (" + left + ")";
      option.disabled = left === 0 && option.value !== "" && option.value !== wanted[name];
    }
  };

  const show = () => {
    const wanted = Object.fromEntries(names.map((name) => [name, field[name].value.trim()]));
    let found = 0;
    for (const row of rows) {
      const fits = matches(row, wanted);
      row.row.hidden = !fits;
      entries.get(row.claim).hidden = !fits;
      found += fits ? 1 : 0;
      for (const cell of row.cells) {
        cell.it.classList.toggle("dim", Boolean(wanted.outcome) && !ends(cell, wanted.outcome));
      }
    }
    // Columns of which nothing is asked for go.
    for (const it of all("[data-bed]")) {
      const bed = it.dataset.bed;
      it.hidden =
        (Boolean(wanted.testbed) && bed !== wanted.testbed) ||
        (Boolean(wanted.subject) && subjects.get(bed) !== wanted.subject);
    }
    for (const group of all("div[data-group]")) {
      const empty = !all("tr[data-claim]", group).some((row) => !row.hidden);
      all("[data-group]").filter((it) => it.dataset.group === group.dataset.group)
        .forEach((it) => { it.hidden = empty; });
    }
    one("#found").textContent = found + " of " + rows.length + (rows.length === 1 ? " claim" : " claims");
    one("#none").hidden = found > 0;
    tell(wanted);
    return wanted;
  };

  const keep = () => {
    const wanted = show();
    const query = new URLSearchParams(names.map((name) => [name, wanted[name]]).filter(([, value]) => value));
    const text = query.toString();
    const { claim } = address();
    const hash = text ? "#" + claim + "?" + text : claim ? "#" + claim : "";
    // Some browsers refuse that where it is done often.
    try { history.replaceState(null, "", hash || location.href.split("#")[0]); } catch { /* It can do without. */ }
  };
  for (const name of names) field[name].addEventListener(name === "text" ? "input" : "change", keep);
  one("#f-reset").addEventListener("click", () => {
    for (const name of names) field[name].value = "";
    keep();
    field.text.focus();
  });

  // What the address says; a link to a claim leaves the filters as they are.
  const read = () => {
    const { claim, query } = address();
    if (query.size > 0 || claim === "") {
      for (const name of names) field[name].value = query.get(name) || "";
      for (const name of names.slice(1)) if (field[name].selectedIndex < 0) field[name].value = "";
    }
    if (query.size === 0 && claim !== "") keep(); else show();
    go();
  };
  window.addEventListener("hashchange", read);
  read();
}
