{# Ctrl-K: claims with their details, questions, figures, terms, names and files. #}
const finder = byId("search");
const hits = byId("search-hits");
const query = byId("search-words");
const SHOWN = 12;
const targets = once(async () => {
  const folds = [...all("#claims details[data-holds]"), ...all("#claim-details"), ...all("#glossary")];
  await Promise.all(folds.map(unfold));
  const details = new Map(all("#claim-details > div > [data-of]").map((part) => [part.dataset.of, textOf(part)]));
  const list = all("section[id] > h2").map((head) => [textOf(head), `#${head.parentElement.id}`, "section"]);
  list.push(...all("#glossary > summary").map((head) => [textOf(head), "#glossary", "section"]));
  list.push(...all("#glossary dt").map((term) => [`${textOf(term)} – ${textOf(term.nextElementSibling)}`, "#glossary", "term"]));
  list.push(...all("#claims tr[id]").map((row) => [[...[...row.cells].map(textOf), details.get(row.id)].filter(Boolean).join(" · "), `#${row.id}`, "claim"]));
  list.push(...all("details.chapter").map((part) => [textOf(part.querySelector("summary")), `#${part.id}`, "question"]));
  const figures = Object.entries(JSON.parse(await unpack(byId("figures").textContent)));
  list.push(...figures.map(([name, text]) => [`${text} · ${name.replaceAll("_", " ")}`, `#figure-${name}`, "figure"]));
  list.push(...[...(await cards())].map(([name, text]) => [`${name} – ${text}`, "#names", "name"]));
  list.push(...(await readIndex()).files.map((file) => [file, `#file=${encodeURIComponent(file)}`, "file"]));
  return list;
});
{# Where the words are, after the first words of the text, which say what it is about. #}
const HEAD = 40;
const AROUND = 120;
const snippet = (text, wanted) => {
  const first = Math.min(...wanted.map((word) => text.toLowerCase().indexOf(word)));
  const head = first < AROUND ? "" : `${text.slice(0, HEAD).trim()} … `;
  const start = head ? text.lastIndexOf(" ", first - HEAD) + 1 : 0;
  const end = start + AROUND + HEAD;
  return `${head}${text.slice(start, end).trim()}${end < text.length ? " …" : ""}`;
};
{# Whoever looks for "missed" finds "misses", too. #}
const stem = (word) => (word.length > 4 ? word.replace(/(ing|ed|es|s)$/, "") : word);
const find = async () => {
  const wanted = wordsOf(query.value).map(stem);
  const list = await targets();
  const left = wanted.length ? list.filter(([text]) => wanted.every((word) => text.toLowerCase().includes(word))) : [];
  hits.replaceChildren(...left.slice(0, SHOWN).map(([text, href, kind]) => {
    const item = make("li");
    item.append(make("a", snippet(text, wanted), { href }), " ", make("small", kind));
    return item;
  }));
  if (left.length > SHOWN) hits.append(make("li", `and ${left.length - SHOWN} more; add a word`));
  if (wanted.length && !left.length) hits.replaceChildren(make("li", "Nothing contains these words."));
};
const openSearch = () => {
  finder.showModal();
  query.select();
};
byId("search-open").addEventListener("click", openSearch);
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openSearch();
  }
});
query.addEventListener("input", find);
query.addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), hits.querySelector("a")?.click()));
hits.addEventListener("click", (event) => event.target.closest("a") && finder.close());
