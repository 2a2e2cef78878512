"use strict";
// Filtering, and unfolding what a link or the printer asks for. The page reads without it.
(() => {
  const find = (id) => document.getElementById(id);
  const controls = document.querySelector(".controls");
  const tables = { case: find("by-case"), requirement: find("by-requirement") };
  const shown = find("shown");
  const rows = () => document.querySelector("input[name=rows]:checked").value;
  const texts = new WeakMap();
  const textOf = (row) => {
    let text = texts.get(row);
    if (text === undefined) {
      text = `${row.firstElementChild.textContent} ${row.dataset.s}`.toLowerCase();
      texts.set(row, text);
    }
    return text;
  };

  const filter = () => {
    const words = find("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdict = find("verdict").value;
    const differ = find("differ")?.checked ?? false;
    let count = 0;
    let all = 0;
    for (const [name, table] of Object.entries(tables)) {
      table.hidden = name !== rows();
      if (table.hidden) continue;
      for (const body of table.querySelectorAll("tbody")) {
        let some = 0;
        for (const row of body.querySelectorAll("tr[data-v]")) {
          all += 1;
          const keep =
            (!verdict || row.dataset.v.includes(verdict)) &&
            (!differ || "d" in row.dataset) &&
            words.every((word) => textOf(row).includes(word));
          row.hidden = !keep;
          some += keep;
        }
        body.hidden = !some;
        count += some;
      }
    }
    shown.textContent = count === all ? `${all} rows` : `${count} of ${all} rows`;
  };

  const sheet = document.head.appendChild(document.createElement("style")).sheet;
  const columns = () => {
    while (sheet.cssRules.length) sheet.deleteRule(0);
    const word = find("runs").value.toLowerCase();
    if (!word) return;
    tables.case.querySelectorAll("thead th").forEach((head, index) => {
      if (index && !head.textContent.toLowerCase().includes(word)) {
        sheet.insertRule(`.matrix tr > :nth-child(${index + 1}) { display: none }`);
      }
    });
  };

  let waiting = 0;
  const soon = (action) => () => {
    clearTimeout(waiting);
    waiting = setTimeout(action, 120);
  };
  find("find").addEventListener("input", soon(filter));
  controls.addEventListener("change", filter);
  find("runs")?.addEventListener("input", soon(columns));
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = false;
  document.documentElement.classList.add("scripted");
  filter();

  const unfold = () => {
    const there = /^#[cr]\d+$/.test(location.hash) && document.querySelector(location.hash);
    const folded = there && there.closest("details");
    if (!folded) return;
    folded.open = true;
    there.scrollIntoView();
    there.focus({ preventScroll: true });
  };
  addEventListener("hashchange", unfold);
  unfold();

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const each of folded) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of folded) each.open = false;
  });
})();
