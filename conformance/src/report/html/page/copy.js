
// Where the browser refuses the clipboard to a file, the old way works; where that does not, the text is marked.
{
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
    const around = button.closest(".command, .as-text");
    const code = one("code", around);
    const told = one(".copied", around);
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
}
