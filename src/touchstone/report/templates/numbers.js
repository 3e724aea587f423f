{# Where a number came from: its row, the rows that it was computed from, and the files behind them. #}
const undo = (steps) => {
  let sum = 0;
  return steps.map((step) => (sum += step));
};
const undoAll = (columns) => Object.values(columns).forEach((column) => column?.of && (column.at = undo(column.at)));
const readRows = once(async () => {
  const data = JSON.parse(await unpack(byId("rows").textContent));
  undoAll(data.columns);
  let line = 0;
  data.places = new Map(data.columns.line.map((step, place) => [(line += step), place]));
  return data;
});
const readIndex = once(async () => {
  const index = JSON.parse(await unpack(byId("index").textContent));
  undoAll(index);
  const digits = index.digest.length / index.name.length;
  index.digest = index.name.map((name, place) => index.digest.slice(place * digits, (place + 1) * digits));
  index.files = index.name.map((name, place) => index.folder.of[index.folder.at[place]] + name);
  return index;
});
const rowAt = (data, line) => {
  const place = data.places.get(line);
  return Object.fromEntries(Object.entries(data.columns).map(([name, column]) => [name, Array.isArray(column) ? column[place] : column.of[column.at[place]]]));
};
const dialog = byId("origin");
const LABELS = { base_rate: "base rate", unit: "unit", seed: "seed", seeds: "seeds", method: "interval", threat: "threat model", evaluation: "evaluation" };
const short = (value) => (value === null ? "?" : Number(value.toPrecision(6)));
const isMean = (row) => row.seed === null && row.metric.endsWith("_mean");
const seedsOf = (data, mean) => {
  const metric = mean.metric.slice(0, -"_mean".length);
  const codes = ["metric", "evaluation", "entry", "examples"].map((name) => {
    const { of, at } = data.columns[name];
    return [of.indexOf(name === "metric" ? metric : mean[name]), at];
  });
  return [...data.places].filter(([, place]) => codes.every(([code, at]) => at[place] === code)).map(([line]) => [rowAt(data, line), line]);
};
const describe = (data, row, line, about) => {
  const list = make("dl");
  const add = (name, value) => list.append(make("dt", name), make("dd", value));
  for (const [name, label] of Object.entries(LABELS)) {
    const value = row[name];
    if (value === null || value === "" || value.length === 0) continue;
    add(label, typeof value === "number" ? short(value) : Array.isArray(value) ? value.join(", ") : value);
  }
  if (about) add("what it is", about);
  if (line in data.how) add("how it came about", data.how[line]);
  const values = isMean(row) ? seedsOf(data, row).map(([single]) => single.value) : [];
  if (values.length) add("of single seeds", `least ${short(Math.min(...values))}, greatest ${short(Math.max(...values))}`);
  if (line in data.doubts) {
    add("⚠ failed a check", data.doubts[line]);
    list.lastChild.append(" ", make("a", "all checks", { href: "#checks" }));
  }
  add("where", `line ${line} of metrics.csv.gz (its header is line 1)`);
  add("cite it", "by this line and the ROOT of the study: ");
  list.lastChild.append(make("a", "how to cite", { href: "#cite" }));
  return list;
};
const interval = (row) => `${short(row.value)} [${short(row.low)}${row.method === "range" ? " to " : ", "}${short(row.high)}]`;
const linesOf = (data, places) => {
  const list = make("ul");
  for (const line of places) {
    const row = rowAt(data, line);
    const seed = row.seed === null ? "" : `, seed ${row.seed}`;
    list.append(make("li", `${row.metric.replaceAll("_", " ")} of ${row.entry} on ${row.examples}${seed}: ${interval(row)}, line ${line} of metrics.csv.gz`));
  }
  return list;
};

const coded = (index, name, place) => index[name].of[index[name].at[place]];
const fileEntry = (index, place, alone) => {
  const item = make("li");
  const name = index.files[place];
  const path = make("code", name, { className: "path" });
  if (index.digest[place].startsWith("?")) {
    item.append(path, make("p", `Its digest is in the sidecar of the metrics computed from it: touchstone trace ${name}`, { className: "none" }));
    return item;
  }
  const list = make("dl");
  const add = (label, ...parts) => {
    list.append(make("dt", label), make("dd"));
    list.lastChild.append(...parts);
  };
  const [code, scripts] = coded(index, "code", place);
  const files = undo(scripts).map((script) => index.scripts[script]);
  add("digest", make("code", `sha256:${index.digest[place]}…`, { className: "digest" }), " ", make("small", `its first ${index.digest[place].length} of 64 digits; touchstone trace ${name} prints all`));
  add("step", coded(index, "step", place));
  add("settings", make("code", coded(index, "settings", place)));
  const more = make("details");
  more.append(make("summary", `${files.length} files of code`), make("small", files.join(" ")));
  add("code", make("code", code, { className: "digest" }), more);
  const inputs = undo(coded(index, "inputs", place));
  if (inputs.length) add("made from", filesOf(index, inputs, true));
  add("rerun", make("code", coded(index, "command", place), { className: "command" }));
  const fold = make("details", "", { open: alone });
  fold.append(make("summary"), list);
  fold.firstChild.append(path);
  item.append(fold);
  return item;
};
const MOST = 8; // files of a long list that are shown at first
const filesOf = (index, places, onlyNames = false, most = MOST) => {
  const list = make("ul", "", { className: "files" });
  const entry = (place) => {
    if (!onlyNames) return fileEntry(index, place, places.length === 1);
    const item = make("li");
    item.append(make("a", index.files[place], { href: `#file=${encodeURIComponent(index.files[place])}` }));
    return item;
  };
  list.append(...places.slice(0, most).map(entry));
  if (places.length > most) {
    const rest = make("button", `${places.length - most} more files`, { type: "button" });
    rest.addEventListener("click", () => list.replaceChildren(...places.map(entry)));
    list.append(make("li"));
    list.lastChild.append(rest);
  }
  return list;
};

{# What a network was trained with, and what attacked it, in the words of the settings: "adversarial (attack pgd (eps 0.1), epochs 15)". #}
const RECIPES = { train: ["component", "architecture", "loop"], attack: ["component"] };
const FIRST = 4; // recipes that are shown; all files and their settings are below
const unset = (value) => value === null || value === false || value === "" || (typeof value === "object" && !Object.keys(value).length);
const inWords = (value) => {
  if (Array.isArray(value)) return value.map(inWords).join(" ");
  if (typeof value !== "object") return value === true ? "yes" : String(value).split("/").pop();
  const rest = Object.entries(value).filter(([name, part]) => name !== "use" && !unset(part)).map(([name, part]) => `${name.replaceAll("_", " ")} ${inWords(part)}`).join(", ");
  const use = value.use ? inWords(value.use) : "";
  return use && rest ? `${use} (${rest})` : use || rest;
};
const behind = (index, places) => {
  const reached = new Set(places);
  for (const place of reached) undo(coded(index, "inputs", place)).forEach((input) => reached.add(input)); // grows while it is read
  return [...reached].sort((a, b) => a - b);
};
const recipes = (index, places, step) => {
  const names = new Map();
  for (const place of places.filter((one) => coded(index, "step", one) === step)) {
    const settings = JSON.parse(coded(index, "settings", place));
    const words = RECIPES[step].filter((part) => settings[part]).map((part) => inWords(settings[part])).join("; ");
    const [name, network] = index.files[place].split("/").reverse();
    names.set(words, [...(names.get(words) ?? []), step === "attack" ? `${name} on ${network}` : name]);
  }
  return [...names].map(([words, of]) => make("li", `${[...new Set(of)].slice(0, FIRST).join(", ")}${new Set(of).size > FIRST ? ", ..." : ""}: ${words}`));
};
{# The command that recomputes a number, then what its networks were trained with and what attacked them. #}
const recomputed = (index, tables, files) => {
  const commands = [...new Set(tables.map((place) => coded(index, "command", place)).filter(Boolean))];
  const parts = commands.map((command) => make("p", "", { className: "recompute" }));
  parts.forEach((part, place) => part.append("Compute it again: ", make("code", commands[place], { className: "command" })));
  const every = behind(index, files);
  for (const [step, title] of [["train", "Training"], ["attack", "Attack"]]) {
    const items = recipes(index, every, step);
    if (!items.length) continue;
    const list = make("ul", "", { className: "recipes" });
    list.append(...items.slice(0, FIRST));
    if (items.length > FIRST) list.append(make("li", `and ${items.length - FIRST} more, in the files below`));
    parts.push(make("h3", title), list);
  }
  return parts;
};

const present = (title, parts) => {
  byId("origin-title").textContent = title;
  byId("origin-body").replaceChildren(...parts);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
};
const openNumber = async (line, about) => {
  const [data, index] = await Promise.all([readRows(), readIndex()]);
  const row = rowAt(data, line);
  const of = data.of[line];
  const tables = [...new Set([line, ...(of ?? [])].map((one) => data.tables[rowAt(data, one).evaluation]))].filter((place) => place !== undefined);
  const files = undo(row.files);
  const parts = [make("p", `${interval(row)}, n = ${short(row.n)}`, { className: "value" }), ...recomputed(index, tables, files), make("h3", "The number"), describe(data, row, line, about)];
  if (isMean(row)) {
    const seeds = make("ul");
    seeds.append(...seedsOf(data, row).map(([single, place]) => {
      const item = make("li");
      item.append(make("button", `seed ${single.seed}: ${interval(single)}`, { type: "button", className: "number" }), `, line ${place}`);
      item.firstChild.dataset.row = place;
      return item;
    }));
    parts.push(make("h3", "The seeds"), seeds);
  }
  if (of) {
    parts.push(make("h3", "Computed from"), linesOf(data, of));
    if (tables.length) parts.push(make("h3", "These rows are in"), filesOf(index, tables));
    parts.push(make("h3", "Judged by"), make("p", `${data.maker.files.join(", ")} of src/touchstone, a part of code ${data.maker.code}; "touchstone trace --number ${line}" prints the chain, "touchstone audit" checks it.`));
  }
  if (row.evaluation in data.tables) parts.push(make("h3", "Computed into"), filesOf(index, [data.tables[row.evaluation]]));
  parts.push(make("h3", `Measured on ${files.length} files`), filesOf(index, files));
  present(of ? `${row.entry}: ${row.metric}` : `${row.metric.replaceAll("_", " ")} of ${row.entry} on ${row.examples}`, parts);
  if (history.state?.origin !== undefined) return;
  history.scrollRestoration = "manual"; // closing the dialog goes back, and must not scroll to the address's anchor
  history.pushState({ origin: line }, "");
};
{# What a number's label says, and of a check what was asked. #}
const aboutOf = (number) => {
  const cell = number.closest(".grid td");
  const asked = cell && cell.closest("table").tHead.rows[0].cells[cell.cellIndex].querySelector("abbr").title;
  const label = number.getAttribute("aria-label") ?? "";
  let same = 0; // both begin with the words of the check
  while (asked && asked[same] === label[same]) same += 1;
  return asked ? `${label}; asked ${asked.slice(same)}` : label;
};
const openFile = async () => {
  if (!anchor().startsWith("file=")) return;
  const index = await readIndex();
  const place = index.files.indexOf(anchor().slice("file=".length));
  if (place >= 0) present("Where a file came from", [filesOf(index, [place])]);
};
addEventListener("hashchange", openFile);
addEventListener("load", openFile);
{# The browser's Back closes the dialog; closing it in another way goes back. #}
addEventListener("popstate", () => !anchor().startsWith("file=") && dialog.close());
dialog.addEventListener("close", () => history.state?.origin !== undefined && history.back());
document.addEventListener("click", (event) => {
  const number = event.target.closest(NUMBER);
  if (number) openNumber(lineOf(number), aboutOf(number));
  else if (event.target === dialog || event.target.closest("#origin a:not([href^='#file='])")) dialog.close();
});
{# A number or a mark of a figure that is pointed at says what it is. #}
const lineOf = (number) => Number(number.dataset.row ?? number.querySelector("data").dataset.row);
const wordsOfNumber = async (number) => {
  const data = await readRows();
  const row = rowAt(data, lineOf(number));
  const seeds = isMean(row) ? `, mean of ${row.seeds.length} seeds` : row.seed === null ? "" : `, seed ${row.seed}`;
  const about = [`n = ${row.n}`, row.threat !== "none" && `threat model: ${row.threat}`, lineOf(number) in data.doubts && "⚠ its attack failed a check"];
  return [`${row.metric.replaceAll("_", " ")} of ${row.entry} on ${row.examples}${seeds}: ${interval(row)}`, about.filter(Boolean).join("; ")];
};

{# Both tables are unpacked while nothing else is to do, so that the first number opens at once. #}
addEventListener("load", () => requestIdleCallback(() => Promise.all([readRows(), readIndex()])));

{# The list of all files: the first that contain every word typed. #}
const listFiles = async () => {
  const index = await readIndex();
  const box = byId("all-files");
  const wanted = wordsOf(byId("file-words").value);
  const hits = index.files.map((_, place) => place).filter((place) => wanted.every((word) => index.files[place].toLowerCase().includes(word)));
  box.querySelector("output").textContent = `${hits.length} of ${index.files.length}`;
  box.querySelector("ul.files").replaceChildren(...filesOf(index, hits, false, 20).children);
};
byId("all-files").addEventListener("toggle", () => byId("all-files").open && listFiles());
byId("file-words").addEventListener("input", listFiles);
