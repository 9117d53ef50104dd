"use strict";
(() => {
  const table = document.querySelector(".index");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const search = document.getElementById("search");
  const outcome = document.getElementById("outcome");
  const count = document.getElementById("count");
  document.querySelector(".tools").hidden = false;

  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent;
  const compare = (a, b) => {
    const [x, y] = [parseFloat(a), parseFloat(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };
  for (const button of table.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const numeric = head.classList.contains("n");
      const now = head.getAttribute("aria-sort");
      const next = now ? (now === "ascending" ? "descending" : "ascending") : numeric ? "descending" : "ascending";
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const missing = (row) => (key(row, head.cellIndex) === "" ? 1 : 0);
      rows.sort((a, b) => missing(a) - missing(b) || sign * compare(key(a, head.cellIndex), key(b, head.cellIndex)));
      body.append(...rows);
      const articles = rows.map((row) => document.getElementById(row.dataset.for));
      articles[0]?.parentElement.append(...articles);
    });
  }
  const filter = () => {
    const words = search.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLocaleLowerCase();
      const hidden = (outcome.value && row.dataset.outcome !== outcome.value) || !words.every((word) => text.includes(word));
      row.hidden = hidden;
      document.getElementById(row.dataset.for).hidden = hidden;
      shown += hidden ? 0 : 1;
    }
    count.textContent = `${shown} of ${rows.length}`;
  };
  search.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
  filter();

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key === "/") { event.preventDefault(); search.focus(); return; }
    if (event.key !== "j" && event.key !== "k") return;
    const articles = [...document.querySelectorAll("article.feature:not([hidden])")];
    const tops = articles.map((article) => article.getBoundingClientRect().top);
    const at = event.key === "j" ? tops.findIndex((top) => top > 30) : tops.findLastIndex((top) => top < -5);
    if (at >= 0) { articles[at].scrollIntoView(); articles[at].focus({ preventScroll: true }); }
  });

  const probe = document.getElementById("probe");
  document.addEventListener("click", (event) => {
    const token = event.target.closest(".text span[title]");
    probe.textContent = token ? `${token.textContent}  ${token.title}` : "";
  });
})();
