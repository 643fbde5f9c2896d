"use strict";
// Conveniences only: without this script everything can be read.
(() => {
  const form = document.getElementById("filter");
  const tools = document.querySelector(".tools");
  const shown = document.getElementById("shown");
  const runs = [...document.querySelectorAll(".run")];
  const rows = [...document.querySelectorAll(".overview tbody tr")];

  const filter = () => {
    const data = new FormData(form);
    const verdicts = new Set(data.getAll("verdict"));
    const name = data.get("name").trim().toLowerCase();
    const wanted = (item) =>
      verdicts.has(item.dataset.verdict) && item.dataset.name.toLowerCase().includes(name);
    let count = 0;
    for (const run of runs) {
      run.hidden = !wanted(run);
      count += run.hidden ? 0 : 1;
    }
    for (const row of rows) {
      row.hidden = ![...row.querySelectorAll(".cell")].some(wanted);
    }
    shown.textContent = `${count} of ${runs.length} runs`;
  };

  // A link to a run opens it, and whoever uses a keyboard goes on from there.
  const follow = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const run = target?.closest(".run");
    if (!run) return;
    run.hidden = false;
    const details = run.querySelector("details");
    details.open = true;
    details.scrollIntoView();
    details.querySelector("summary").focus({ preventScroll: true });
  };

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("open-all").addEventListener("click", () => {
    for (const run of runs) {
      if (!run.hidden) run.querySelector("details").open = true;
    }
  });
  document.getElementById("close-all").addEventListener("click", () => {
    for (const run of runs) run.querySelector("details").open = false;
  });
  window.addEventListener("hashchange", follow);
  form.hidden = false;
  tools.hidden = false;
  filter();
  follow();
})();
