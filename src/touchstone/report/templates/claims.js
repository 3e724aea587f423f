{# Filters of the claims: a paper, a verdict, words. They are kept in the address: #claims&paper=FGSM&word=broken. #}
const chips = all(".scorecard button");
const words = byId("claim-words");
const state = { paper: "", word: "", text: "" };
const matches = (line) =>
  (!state.paper || line.dataset.paper === state.paper) &&
  (!state.word || line.dataset.words.split("|").includes(state.word)) &&
  wordsOf(state.text).every((word) => line.textContent.toLowerCase().includes(word));
const filterClaims = async () => {
  await Promise.all(all("#claims > details[data-holds]").map(unfold));
  const lines = all("#claims tr[data-words]");
  const filtered = Object.values(state).some(Boolean);
  lines.forEach((line) => (line.hidden = !matches(line)));
  for (const chip of chips) {
    const on = chip.dataset.word ? state.word === chip.dataset.word : state.paper === chip.dataset.paper;
    chip.setAttribute("aria-pressed", on);
  }
  const left = lines.filter((line) => !line.hidden);
  byId("claims").querySelector(".tools output").textContent = filtered ? `${left.length} of ${lines.length}` : "";
  byId("claims-clear").hidden = !filtered;
  for (const part of all("#claims > details.full")) if (filtered && left.some((line) => part.contains(line))) part.open = true;
};
const keep = () => {
  filterClaims();
  const parts = Object.entries(state).filter(([, value]) => value).map(([name, value]) => `&${name}=${encodeURIComponent(value)}`);
  history.replaceState(history.state, "", `#claims${parts.join("")}`);
};
if (chips.length) {
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      const name = chip.dataset.word ? "word" : "paper";
      state[name] = state[name] === chip.dataset[name] ? "" : chip.dataset[name];
      keep();
      if (state[name]) words.scrollIntoView({ block: "start" });
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
