{# Filters of the claims: a paper, a verdict, words. They are kept in the address: #claims&paper=FGSM&word=broken. #}
const chips = all(".scorecard button");
const words = byId("claim-words");
const state = { paper: "", word: "", text: "" };
{# What a closed line shows: its claim, its sentence, its verdicts. #}
const shownText = (line) => all("th, summary, .judged, .words", line).map(textOf).join(" ").toLowerCase();
{# The scorecard counts no counter-claims, so a verdict leaves only claims. #}
const matches = (line) =>
  (!state.paper || line.dataset.paper === state.paper) &&
  (!state.word || (line.dataset.kind === "claim" && line.dataset.words.split("|").includes(state.word))) &&
  wordsOf(state.text).every((word) => shownText(line).includes(word));
{# A heading filters by a paper or by a verdict, a count by both. #}
const filtersOf = (chip) => ["paper", "word"].filter((name) => name in chip.dataset);
const isOn = (chip) => filtersOf(chip).every((name) => state[name] === chip.dataset[name]);
const filterClaims = async () => {
  await Promise.all(all("#claims details[data-holds]").map(unfold));
  const lines = all("#claims tr[data-words]");
  const filtered = Object.values(state).some(Boolean);
  lines.forEach((line) => (line.hidden = !matches(line)));
  for (const chip of chips) {
    chip.setAttribute("aria-pressed", isOn(chip));
  }
  const left = lines.filter((line) => !line.hidden);
  byId("claims").querySelector(".tools output").textContent = filtered ? `${left.length} of ${lines.length}` : "";
  byId("claims-clear").hidden = !filtered;
  if (filtered) all("#claims details[data-holds]").forEach((part) => (part.open = left.some((line) => part.contains(line))));
};
const keep = () => {
  filterClaims();
  const parts = Object.entries(state).filter(([, value]) => value).map(([name, value]) => `&${name}=${encodeURIComponent(value)}`);
  history.replaceState(history.state, "", `#claims${parts.join("")}`);
};
if (chips.length) {
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      const on = isOn(chip);
      for (const name of filtersOf(chip)) state[name] = on ? "" : chip.dataset[name];
      keep();
      if (!on) words.scrollIntoView({ block: "start" });
    });
  }
  words.addEventListener("input", () => {
    state.text = words.value;
    keep();
  });
  byId("claims-clear").addEventListener("click", () => {
    Object.assign(state, { paper: "", word: "", text: "" });
    words.value = "";
    keep();
  });
  for (const part of location.hash.split("&").slice(1)) {
    const [name, value] = part.split("=");
    if (name in state) state[name] = decodeURIComponent(value);
  }
  words.value = state.text;
  if (location.hash.startsWith("#claims&")) filterClaims();
}
