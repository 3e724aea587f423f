"use strict";
{# Tables, folded parts and figures. Every script of the page shares these names. #}
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, text, attributes = {}) => Object.assign(document.createElement(tag), { textContent: text ?? "" }, attributes);
{# The text of a part with a space between its pieces. #}
const pieces = (part) => (part.nodeType === Node.TEXT_NODE ? [part.data] : [...part.childNodes].flatMap(pieces));
const textOf = (part) => pieces(part).join(" ").replace(/\s+/g, " ").trim();
const byId = (id) => document.getElementById(id);

{# Packed parts are gzip in base 85 until they are needed; the first letter says how many bytes only fill up the end. #}
const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%,()*+-;.=:?@^_`{|}~";
const codes = new Uint8Array(128);
[...LETTERS].forEach((letter, code) => (codes[letter.charCodeAt(0)] = code));
const unpack = async (text) => {
  const groups = (text.length - 1) / 5;
  const view = new DataView(new ArrayBuffer(groups * 4));
  for (let group = 0; group < groups; group += 1) {
    let value = 0;
    for (let place = group * 5 + 1; place <= group * 5 + 5; place += 1) value = value * 85 + codes[text.charCodeAt(place)];
    view.setUint32(group * 4, value);
  }
  const bytes = new Uint8Array(view.buffer, 0, groups * 4 - Number(text[0]));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
};
const once = (work) => {
  let result;
  return () => (result ??= work());
};

{# Sorting: a click on a heading sorts by its column, numbers by value; a second click reverses the order. #}
const keyOf = (row, column) => {
  const data = row.cells[column]?.querySelector("data");
  if (data) return Number(data.value);
  const text = row.cells[column]?.querySelector(".verdict, summary")?.textContent ?? row.cells[column]?.textContent ?? "";
  return text.trim() === "–" ? null : text.trim();
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
  if (table.tBodies[0].rows.length < 2) return;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if ("unsorted" in head.dataset) return;
    const button = make("button", "", { type: "button" });
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head, column));
    head.replaceChildren(button);
  });
};

{# One tab stop per table: arrow keys move between its headings and numbers. #}
const STOPS = "thead button, .scorecard button, .number";
const roving = (table) => all(STOPS, table).forEach((stop, place) => (stop.tabIndex = place ? -1 : 0));
const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
const move = (event) => {
  const step = STEPS[event.key];
  const table = step && event.target.matches?.(STOPS) && event.target.closest("table");
  if (!table) return;
  const rows = [...table.rows].map((row) => (row.hidden ? [] : all(STOPS, row))).filter((row) => row.length);
  const down = rows.findIndex((row) => row.includes(event.target));
  const across = rows[down].indexOf(event.target);
  const flat = rows.flat();
  const next = step[0] ? rows[down + step[0]]?.[Math.min(across, rows[down + step[0]].length - 1)] : flat[flat.indexOf(event.target) + step[1]];
  if (!next) return;
  event.preventDefault();
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
};
document.addEventListener("keydown", move);

{# A table that is wider than its column becomes cards: one per line, with a heading before each value. #}
const fit = (table) => {
  table.classList.remove("cards");
  if (!table.offsetParent || table.scrollWidth <= table.parentElement.clientWidth + 1) return;
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells].map((cell) => cell.textContent.trim());
  for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, column) => (cell.dataset.head = heads[column]));
  table.classList.add("cards");
};
const scrollable = (picture) => {
  if (picture.scrollWidth <= picture.clientWidth + 1) return;
  const name = (picture.closest("figure")?.id ?? "workflow").replace("figure-", "").replaceAll("_", " ");
  picture.tabIndex = 0;
  picture.classList.add("scrolls");
  if (picture.getAttribute("role") !== "tabpanel") Object.assign(picture, { role: "region", ariaLabel: `Figure ${name}, can be scrolled` });
};
const fitAll = (part = document) => {
  all("table:not(.stacked):not(.grid):not(.scorecard)", part).forEach(fit);
  all(".picture", part).forEach(scrollable);
};

{# Filtering: a line stays if it contains every word typed. #}
const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const filterable = (input) => {
  const box = input.closest(".table");
  const lines = all("tbody tr", box);
  input.addEventListener("input", () => {
    const words = wordsOf(input.value);
    for (const line of lines) line.hidden = !words.every((word) => line.textContent.toLowerCase().includes(word));
    box.querySelector("output").textContent = words.length ? `${lines.filter((line) => !line.hidden).length} of ${lines.length}` : "";
  });
};

{# Figures: chart and table as tabs; on a phone a tap shows the picture at full size. #}
const tabs = (figure) => {
  const panels = all("[data-tab]", figure);
  if (panels.length < 2) return;
  const list = make("span", "", { role: "tablist", className: "tabs" });
  const buttons = panels.map((panel, place) => {
    const button = make("button", panel.dataset.tab, { type: "button", role: "tab", id: `${figure.id}-tab-${place}` });
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", button.id);
    button.addEventListener("click", () => show(place));
    return button;
  });
  const show = async (chosen) => {
    await unfold(panels[chosen]);
    buttons.forEach((button, place) => {
      button.setAttribute("aria-selected", place === chosen);
      button.tabIndex = place === chosen ? 0 : -1;
      panels[place].hidden = place !== chosen;
    });
    fitAll(figure);
  };
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (buttons.indexOf(event.target) + step + buttons.length) % buttons.length;
    show(next).then(() => buttons[next].focus());
  });
  list.append(...buttons);
  figure.querySelector(".bar").prepend(list);
  show(0);
};

{# A name in a figure hides its series and shows it again. One tab stop per figure: arrow keys move between names. #}
const legend = (picture) => {
  const names = all("[data-toggle]", picture);
  if (names.length) names[0].closest("svg").setAttribute("role", "group");
  const set = (name, key, value) => name.setAttribute(key, value);
  names.forEach((name, place) => {
    Object.entries({ role: "button", tabindex: place ? -1 : 0, "aria-pressed": true }).forEach(([key, value]) => set(name, key, value));
    const toggle = () => {
      const hide = name.getAttribute("aria-pressed") === "true";
      const same = (key) => all(`[data-${key}="${name.dataset.toggle}"]`, picture);
      same("toggle").forEach((other) => set(other, "aria-pressed", !hide));
      same("series").forEach((series) => series.classList.toggle("off", hide));
    };
    name.addEventListener("click", toggle);
    name.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) names[(place + step + names.length) % names.length].focus();
      else if (event.key === "Enter" || event.key === " ") toggle();
      else return;
      event.preventDefault();
    });
  });
};
const prepare = (part) => {
  all("table:not(.scorecard)", part).forEach(sortable);
  all("table", part).forEach(roving);
  all("[data-filter]", part).forEach(filterable);
  all("figure", part).forEach(tabs);
  all(".picture", part).forEach((picture) => {
    legend(picture);
    picture.addEventListener("click", (event) => event.target.closest("[data-row], [data-toggle]") || picture.classList.toggle("whole"));
  });
  all("details", part).forEach((inner) => inner.addEventListener("toggle", () => inner.open && fitAll(inner)));
  fitAll(part);
};

const unfolded = new Map();
{# Parts that share a pack, such as the details of claims, take their own piece of it. #}
const shared = async (part) => {
  const holder = byId(part.dataset.from);
  await unfold(holder);
  const own = holder.querySelector(`[data-of="${part.closest("[id]").id}"]`);
  if (own) part.append(own);
};
const unfold = (part) => {
  if (part.dataset.from) return shared(part);
  const packed = [...part.children].find((child) => child.matches("script.packed"));
  if (!packed) return Promise.resolve();
  if (!unfolded.has(part)) {
    unfolded.set(part, unpack(packed.textContent).then((html) => {
      const inside = make("div");
      inside.innerHTML = html;
      packed.replaceWith(inside);
      prepare(inside);
    }));
  }
  return unfolded.get(part);
};
setTimeout(() => prepare(document)); // the page can be read before
for (const part of all("details")) part.addEventListener("toggle", () => part.open && unfold(part).then(() => fitAll(part)));
addEventListener("resize", () => fitAll());
{# Closed chapters of papers are printed too. #}
const folded = all("details.folded:not([open])");
addEventListener("beforeprint", () => folded.forEach((part) => (part.open = true)));
addEventListener("afterprint", () => folded.forEach((part) => (part.open = false)));

{# A link into a closed or packed part opens it. #}
const anchor = () => decodeURIComponent(location.hash.slice(1).split("&")[0]);
const open = async (part) => {
  for (let outer = part; outer; outer = outer.parentElement?.closest("details")) {
    outer.open = true;
    await unfold(outer);
  }
};
const reveal = async () => {
  const name = anchor();
  if (!name || name.startsWith("file=")) return;
  const holder = byId(name) ?? all("[data-holds]").find((part) => part.dataset.holds.split(" ").includes(name));
  if (!holder) return;
  await open(holder.closest("details"));
  const target = byId(name) ?? holder;
  const own = target.matches("tr") && target.querySelector("details");
  if (own) own.open = true;
  target.hidden = false;
  target.scrollIntoView();
};
addEventListener("hashchange", reveal);
addEventListener("load", reveal);

{# The rail marks the section on screen. #}
const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
const spy = new IntersectionObserver((seen) => {
  for (const entry of seen) if (entry.isIntersecting) {
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "-15% 0px -75% 0px" });
all("header[id], section[id]").filter((part) => links.has(part.id)).forEach((part) => spy.observe(part));

{# What a name or a number is, on a card beside it. #}
const tip = byId("tip");
const cards = once(() => unpack(byId("cards").textContent).then((text) => {
  const plain = ([name, words]) => [name, words.replaceAll("`", "").replace(`${name}: `, "")];
  return new Map(Object.entries(JSON.parse(text)).map(plain));
}));
const namesIn = async (text) => {
  const byName = await cards();
  return text.split(/[+/,\s@]+/).map((word) => word.replace(/\.\d+$/, "")).filter((word, place, words) => byName.has(word) && words.indexOf(word) === place).map((word) => `${word} – ${byName.get(word)}`);
};
const show = async (target) => {
  const label = target.querySelector?.("abbr")?.title;
  const lines = target.matches(NUMBER) ? await wordsOfNumber(target) : label ? [label] : await namesIn(target.textContent);
  if (!lines.length || !target.isConnected) return;
  tip.replaceChildren(...lines.slice(0, 4).map((line) => make("p", line)));
  tip.hidden = false;
  const box = target.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${box.bottom + tip.offsetHeight + 8 < innerHeight ? box.bottom + 6 : box.top - tip.offsetHeight - 6}px`;
};
const NUMBER = ".number, svg [data-row]";
const TIPPED = "main tbody th, main thead th, main td:not(.value):not(.finding):not(.words)";
document.addEventListener("pointerover", (event) => {
  tip.hidden = true;
  const target = event.target.closest?.(NUMBER) ?? event.target.closest?.(TIPPED);
  if (target && target.textContent.length < 90) show(target);
});
document.addEventListener("keydown", (event) => event.key === "Escape" && (tip.hidden = true));
addEventListener("scroll", () => (tip.hidden = true), { passive: true });
