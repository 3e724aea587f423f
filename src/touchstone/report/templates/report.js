"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, text, attributes = {}) => Object.assign(document.createElement(tag), { textContent: text ?? "" }, attributes);

  // Sorting: a click on a heading sorts by its column, numbers by value; a second click reverses the order.
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    if (!("value" in cell.dataset)) return cell.textContent.trim();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  const sort = (head, column) => {
    const body = head.closest("table").tBodies[0];
    const falling = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    all("th", head.parentElement).forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falling === 1 ? "ascending" : "descending");
    const keyed = [...body.rows].map((row) => [keyOf(row, column), row]);
    keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : falling * compare(a, b)));
    body.append(...keyed.map(([, row]) => row));
  };
  const sortable = (table) => {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if ("unsorted" in head.dataset) return;
      const button = make("button", head.textContent, { type: "button" });
      button.addEventListener("click", () => sort(head, column));
      head.replaceChildren(button);
    });
  };

  // Filtering: a line stays if it contains every word typed.
  const filterable = (input) => {
    const box = input.closest(".table");
    const lines = all("tbody tr, ul.files > li", box);
    const show = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const line of lines) {
        const text = line.textContent.toLowerCase();
        line.hidden = !words.every((word) => text.includes(word));
        left += !line.hidden;
      }
      box.querySelector("output").textContent = words.length ? `${left} of ${lines.length}` : "";
    };
    input.addEventListener("input", show);
  };
  const prepare = (part) => {
    all("table", part).forEach(sortable);
    all("[data-filter]", part).forEach(filterable);
  };

  // Folded parts stay packed (gzip in base64) until they are opened.
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const unfolded = new Map();
  const unfold = (part) => {
    const packed = part.querySelector("script.packed");
    if (!unfolded.has(part)) {
      unfolded.set(part, packed ? unpack(packed.textContent).then((html) => {
        packed.insertAdjacentHTML("beforebegin", html);
        packed.remove();
        prepare(part);
      }) : Promise.resolve(prepare(part)));
    }
    return unfolded.get(part);
  };
  for (const part of all("details")) {
    if (part.open || !part.querySelector("script.packed")) unfold(part);
    part.addEventListener("toggle", () => part.open && unfold(part));
  }
  all(".chapter > .table table, #claims > .table table").forEach(sortable);
  all("#claims > .table [data-filter]").forEach(filterable);
  // A figure is as wide as a narrow window; a tap shows it at full size, to be scrolled.
  all(".picture").forEach((picture) => picture.addEventListener("click", () => picture.classList.toggle("whole")));
  addEventListener("beforeprint", () => all(".more").forEach((part) => (part.open = true)));
  const allFiles = document.getElementById("all-files");

  // A link into a closed part opens it.
  const reveal = async () => {
    if (location.hash.startsWith("#file-")) await unfold(allFiles);
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // The provenance of a number.
  let columns, rows, tables, of, how, doubts, checks, maker;
  let read;
  const readRows = () => {
    read ??= unpack(document.getElementById("rows").textContent).then((json) => ({ columns, rows, tables, of, how, doubts, checks, maker } = JSON.parse(json)));
    return read;
  };
  const asRow = (line) => Object.fromEntries(columns.map((name, place) => [name, rows[line][place]]));
  const dialog = document.getElementById("origin");
  const labels = { low: "low", high: "high", n: "n", base_rate: "base rate", unit: "unit", seed: "seed", seeds: "seeds", method: "interval", threat: "threat model", evaluation: "evaluation" };
  const describe = (row, line) => {
    const list = make("dl");
    const add = (name, value) => list.append(make("dt", name), make("dd", value));
    add("value", short(row.value));
    const mean = row.seed === null && row.metric.endsWith("_mean");
    for (const [name, words] of Object.entries(labels)) {
      const value = row[name];
      if (value === null || value.length === 0) continue;
      add(words, typeof value === "number" ? short(value) : String(value));
    }
    if (line in how) add("what it is", how[line]);
    if (mean) {
      const values = seedsOf(row).map(([single]) => single.value);
      if (values.length) add("of single seeds", `least ${short(Math.min(...values))}, greatest ${short(Math.max(...values))}`);
    }
    if (line in doubts) {
      add("⚠ failed a check", doubts[line]);
      if (checks) list.lastChild.append(" ", make("a", "all checks", { href: `#chapter-${checks}` }));
    }
    add("where", `line ${line} of metrics.csv.gz, whose header is line 1`);
    return [list, mean];
  };
  const short = (value) => (value === null ? "?" : Number(value.toPrecision(6)));
  const seedsOf = (mean) => {
    const metric = mean.metric.slice(0, -"_mean".length);
    const kept = Object.keys(rows).map((line) => [asRow(line), line]);
    return kept.filter(([row]) => row.metric === metric && row.evaluation === mean.evaluation && row.examples === mean.examples && row.entry === mean.entry);
  };
  const linesOf = (lines) => {
    const list = make("ul");
    for (const line of lines) {
      const row = asRow(line);
      const seed = row.seed === null ? "" : `, seed ${row.seed}`;
      list.append(make("li", `${row.metric.replaceAll("_", " ")} of ${row.entry} on ${row.examples}${seed}: ${short(row.value)} [${short(row.low)}, ${short(row.high)}], line ${line}`));
    }
    return list;
  };
  const most = 8; // files of a long list that are open from the start
  const filesOf = (places, fold = most) => {
    const files = make("ul", "", { className: "files" });
    if (places.length > fold) {
      files.append(...filesOf(places.slice(0, fold)).children);
      const rest = make("details");
      rest.append(make("summary", `${places.length - fold} more files`), filesOf(places.slice(fold), Infinity));
      files.append(make("li"));
      files.lastChild.append(rest);
      return files;
    }
    for (const place of places) {
      const copy = document.getElementById(`file-${place}`).cloneNode(true);
      copy.removeAttribute("id");
      copy.hidden = false;
      files.append(copy);
    }
    return files;
  };
  const open = async (line) => {
    await Promise.all([readRows(), unfold(allFiles)]);
    const row = asRow(line);
    const [list, mean] = describe(row, line);
    const parts = [list];
    if (mean) {
      const seeds = make("ul");
      for (const [single, place] of seedsOf(row)) {
        seeds.append(make("li", `seed ${single.seed}: ${short(single.value)} [${short(single.low)}, ${short(single.high)}], line ${place}`));
      }
      parts.push(make("h3", "The seeds"), seeds);
    }
    if (line in of) parts.push(make("h3", "Computed from"), linesOf(of[line]));
    if (line in of) {
      const between = [...new Set(of[line].map((one) => tables[asRow(one).evaluation]))].filter((place) => place !== undefined);
      if (between.length) parts.push(make("h3", "These rows are in"), filesOf(between));
      if (maker) parts.push(make("h3", "Judged by"), make("p", `${maker.files.join(", ")} of src/touchstone, a part of code ${maker.code}; "touchstone trace --number ${line}" prints the chain, "touchstone audit" checks it.`));
    }
    if (row.evaluation in tables) parts.push(make("h3", "Computed into"), filesOf([tables[row.evaluation]]));
    parts.push(make("h3", `Measured on ${row.files.length} files`), filesOf(row.files));
    document.getElementById("origin-title").textContent = line in of ? `${row.entry}: ${row.metric}` : `${row.metric.replaceAll("_", " ")} of ${row.entry} on ${row.examples}`;
    document.getElementById("origin-body").replaceChildren(...parts);
    dialog.showModal();
    dialog.scrollTop = 0;
    history.pushState({ origin: line }, "");
  };
  // The browser's Back closes the dialog; closing it in another way goes back.
  addEventListener("popstate", () => dialog.close());
  dialog.addEventListener("close", () => history.state?.origin !== undefined && history.back());
  document.addEventListener("click", (event) => {
    const number = event.target.closest(".number");
    if (number) open(Number(number.querySelector("data").dataset.row));
    else if (event.target === dialog || event.target.closest("#origin a")) dialog.close();
  });
})();
