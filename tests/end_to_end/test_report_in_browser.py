"""The tiny study's report in Debian's Chromium: it works, asks the network for nothing, and fits a phone."""

import itertools
import json
import os
import re
import shutil
from functools import partial

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from touchstone.report.packing import rows_of

PROGRAMS = ("chromium", "chromedriver")  # Debian's packages chromium and chromium-driver
PHONE, DESK = 390, 1280
SHEET = 717  # A4 between the margins that Chromium leaves

# Selenium asks every half a second: most of the time of these tests. The limit is for a machine with much else to do.
wait = partial(WebDriverWait, timeout=60, poll_frequency=0.05)


@pytest.fixture(scope="module")
def browser():
    paths = {name: shutil.which(name) for name in PROGRAMS}
    if not all(paths.values()):
        missing = ", ".join(name for name, path in paths.items() if path is None)
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {missing}")
    options = webdriver.ChromeOptions()
    options.binary_location = paths["chromium"]
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "no-first-run",
                     "disable-background-networking", "disable-component-update", "window-size=1280,900"):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(paths["chromedriver"]))
    driver.set_script_timeout(60)  # a whole page unfolds in seconds on quiet cores
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, tiny):
    """The report, freshly opened on a light desk."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    shown(browser, DESK, "light")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get((tiny.root / "reports/tiny/report.html").as_uri())
    return browser


def shown(browser, width, scheme):
    """Show the page at a width of so many pixels, in a colour scheme."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )


def one(root, selector):
    return root.find_element(By.CSS_SELECTOR, selector)


def printed(browser, width):
    """Show the page as it is printed on a sheet whose margins leave so many pixels."""
    shown(browser, width, "light")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})


def every(root, selector):
    return root.find_elements(By.CSS_SELECTOR, selector)


# Opens what matches and what it lies in, also what comes to light on the way, until all that it holds is unpacked. The page
# itself looks whether it is: each question of the driver would take longer.
UNFOLD = """const [parts, done] = arguments;
const look = () => {
  const left = [...document.querySelectorAll(parts)].filter(part => !part.open || part.querySelector(":scope > .packed"));
  for (const part of left)
    for (let around = part; around; around = around.parentElement.closest("details")) around.open = true;
  left.length ? setTimeout(look, 50) : done();
};
look();"""


def unfold(page, parts="details"):
    """Open every folded part that matches, and wait until what it holds is unpacked."""
    page.execute_async_script(UNFOLD, parts)


def opened(page, selector, parts):
    """The first element that matches, when these folded parts are open."""
    unfold(page, parts)
    return one(page, selector)


def press(page, element):
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    element.click()


def dialog_is(page, is_open):
    wait(page).until(lambda driver: one(driver, "dialog").get_property("open") is is_open)
    return one(page, "dialog")


def asked_for(page):
    """The addresses of everything that the page requested since it was opened."""
    events = (json.loads(entry["message"])["message"] for entry in page.get_log("performance"))
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def use_everything(page):
    unfold(page)
    for number in (every(page, "#claims .number")[0], every(page, ".chapter .number")[0]):
        page.execute_script("arguments[0].click()", number)
        dialog_is(page, True)
        page.switch_to.active_element.send_keys(Keys.ESCAPE)
        dialog_is(page, False)


def test_the_report_asks_for_nothing_and_says_no_error(page, tiny):
    use_everything(page)

    own = (tiny.root / "reports/tiny/report.html").as_uri()
    assert {address for address in asked_for(page) if not address.startswith("data:")} == {own}
    assert page.get_log("browser") == []


def test_a_request_and_an_error_would_be_seen(page):
    page.execute_script("fetch('http://127.0.0.1:9/').catch(() => {}); setTimeout(() => { throw Error('thrown') })")

    said = []
    wait(page).until(lambda driver: said.extend(driver.get_log("browser")) or len(said) > 1)
    assert "thrown" in str(said) and "http://127.0.0.1:9/" in str(said)


def test_the_policy_stops_code_that_is_not_the_pages_own(page):
    page.execute_script(
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"window.ran = true\">');"
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = true'}))"
    )

    said = []
    wait(page).until(lambda driver: said.extend(driver.get_log("browser")) or len(said) > 1)
    assert "script-src" in str(said)
    assert page.execute_script("return window.ran") is None


def test_pictures_have_the_colours_of_their_files(page, tiny):
    unfold(page)
    rules = re.findall(r"\.(s\d+)\{fill:(#[0-9a-f]{6})\}", page.page_source)
    name, rule = next((name, rule) for name, rule in rules if every(page, f".{name}"))

    shown = page.execute_script(f"return getComputedStyle(document.querySelector('.{name}')).fill")

    assert shown == f"rgb({', '.join(str(int(rule[start : start + 2], 16)) for start in (1, 3, 5))})"


def test_the_claims_stand_first(page):
    heads = [head.text for head in every(page, "main h2")]

    claims = heads.index("What was claimed, and what we found")
    assert heads[:claims] in ([], ["In short"]) and heads[claims + 1] == "Gradient detection"
    assert {line.text for line in every(page, "#claims .verdict")} - {""}


# The numbers or words of a column: hundreds of cells, each of which would take the driver several questions.
CELLS = """return [...arguments[0].querySelectorAll("tbody tr")].map(row => {
  const cell = row.querySelectorAll("th, td")[arguments[1]], number = cell.querySelector("data");
  return number ? number.value : cell.innerText;
});"""


@pytest.mark.parametrize(
    ("parts", "head"),
    [
        ("#claims .folds > details", "claim"),
        ("#chapter-negative_controls, #chapter-negative_controls details.full", "auroc halves"),
    ],
)
def test_a_table_sorts_up_and_down(page, parts, head):
    table = opened(page, f":is({parts}) table:not([aria-label='Other criteria'])", parts)
    column = [cell.text for cell in every(table, "thead th")].index(head)

    def cells():
        return page.execute_script(CELLS, table, column)

    def key(text):
        return (0, float(text), "") if text.replace(".", "", 1).isdigit() else (1, 0.0, text.lower())

    orders = []
    for _ in range(2):
        press(page, every(table, "thead button")[column])
        orders.append([key(text.splitlines()[0]) for text in cells() if text not in ("", "–")])

    assert len(set(orders[0])) > 1
    assert orders == [sorted(orders[0]), sorted(orders[0], reverse=True)]
    assert every(table, "thead th")[column].get_attribute("aria-sort") == "descending"


def test_the_browsers_back_closes_a_number_and_leaves_the_page_open(page):
    for close in (page.back, lambda: page.switch_to.active_element.send_keys(Keys.ESCAPE)):
        press(page, one(page, "#claims .number"))
        dialog_is(page, True)
        close()
        dialog_is(page, False)
        wait(page).until(lambda driver: driver.execute_script("return history.state") is None)

    assert page.current_url.endswith("report.html")


def test_a_filter_leaves_the_lines_that_hold_every_word(page):
    claims = opened(page, "#claims", "#claims .folds > details")
    box = next(part for part in every(claims, ".table") if every(part, "[data-filter]"))
    lines = every(box, "tbody tr")

    one(box, "[data-filter]").send_keys("attacked ALOE")

    texts = page.execute_script("return arguments[0].map(line => line.offsetParent && line.innerText)", lines)
    left = [text for text in texts if text is not None]
    assert 0 < len(left) < len(lines)
    assert all(word in line.lower() for line in left for word in ("attacked", "aloe"))
    assert one(box, "output").text == f"{len(left)} of {len(lines)}"


def test_a_measured_number_opens_where_it_comes_from(page, tiny):
    number = opened(page, ".chapter .number data", "#chapter-detection")
    line = int(number.get_attribute("data-row"))

    page.execute_script("arguments[0].click()", number)

    shown = dialog_is(page, True).text
    _, _, value, command, *rest = shown.splitlines()  # below the button that closes it and the title
    assert re.fullmatch(r"[-\d.]+ \[[-\d.]+, [-\d.]+\], n = \d+", value)
    assert command.startswith("Compute it again: snakemake ")
    assert rest[0] == "Training" and rest[1].startswith("cnn.0: clean; small_cnn (")
    assert f"line {line} of metrics.csv.gz" in shown
    assert "outputs/cnn" in shown or "scores/cnn" in shown
    assert "sha256:" in shown and "snakemake --cores all --config study=tiny recompute=evaluate --force" in shown


def test_closing_a_number_leaves_the_reader_where_they_were(page):
    page.execute_script("location.hash = '#cite'")
    wait(page).until(lambda driver: at_rest(driver) > 0)
    page.execute_script("scrollTo(0, 100)")
    assert at_rest(page) == 100

    page.execute_script("arguments[0].click()", one(page, "#claims .number"))
    dialog_is(page, True)
    page.execute_script("document.querySelector('#origin .close').click()")

    dialog_is(page, False)
    assert at_rest(page) == 100


def at_rest(page):
    """Return where the page is once it no longer scrolls: it scrolls smoothly, so for a while."""
    return page.execute_async_script(
        "const done = arguments[0]; let last = null;"
        "const look = () => { if (scrollY === last) return done(last); last = scrollY; setTimeout(look, 300); }; look();"
    )


def test_a_number_of_a_claim_opens_the_rows_and_files_that_it_is_of(page):
    page.execute_script("location.hash = '#claim-F3'")
    wait(page).until(lambda driver: every(driver, "#claim-F3 .number"))

    page.execute_script("arguments[0].click()", one(page, "#claim-F3 .number"))

    shown = dialog_is(page, True).text
    assert shown.splitlines()[0].startswith(("×", "F3: accuracy under one step minus that"))
    assert "Computed from" in shown and "of cnn on digits_test/pgd, seed 0" in shown
    assert shown.index("Attack") < shown.index("pgd on cnn.0: pgd (") < shown.index("Computed from")
    assert "outputs/cnn.0/digits_test/cnn.0/pgd" in shown


def test_a_mark_of_a_figure_says_what_it_shows_and_opens_its_row(page, tiny):
    mark = one(page, "figure svg [data-row]")
    line = int(mark.get_attribute("data-row"))

    page.execute_script("arguments[0].dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))", mark)
    wait(page).until(lambda driver: one(driver, "#tip").is_displayed())
    tip = one(page, "#tip").text
    page.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", mark)

    row = rows_of((tiny.root / "reports/tiny/metrics.csv.gz").read_bytes())[line - 2]
    assert row["entry"] in tip and f"{float(row['value']):.4}"[:5] in tip and f"n = {row['n']}" in tip
    assert row["entry"] in dialog_is(page, True).text


def test_a_name_in_a_figure_hides_its_series_and_shows_it_again(page):
    wait(page).until(lambda driver: every(driver, "figure [role=button]"))
    name = every(page, "figure [role=button]")[0]
    figure = name.find_element(By.XPATH, "ancestor::*[local-name()='figure']")
    series = every(figure, f"[data-series='{name.get_attribute('data-toggle')}']")

    def shown():
        return [part.value_of_css_property("display") != "none" for part in series]

    assert series and all(shown())
    page.execute_script("arguments[0].focus()", name)
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert not any(shown()) and name.get_attribute("aria-pressed") == "false"
    page.switch_to.active_element.send_keys(Keys.SPACE)

    assert all(shown()) and name.get_attribute("aria-pressed") == "true"


def test_the_list_of_files_shows_those_that_contain_every_word(page):
    press(page, one(page, "nav a[href='#files']"))
    press(page, one(page, "#all-files > summary"))
    wait(page).until(lambda driver: every(driver, "#all-files ul.files > li"))

    one(page, "#file-words").send_keys("outputs cnn.0")

    names = [name.text for name in every(page, "#all-files .path")]
    assert names and all("outputs" in name and "cnn.0" in name for name in names)


def test_a_count_of_the_scorecard_leaves_its_claims_and_the_address_keeps_it(page):
    chip = one(page, ".scorecard [data-word]")
    word, count = chip.get_attribute("data-word"), int(chip.find_element(By.TAG_NAME, "strong").text)

    press(page, chip)

    wait(page).until(lambda driver: one(driver, "#claims .tools output").text)
    page.refresh()
    wait(page).until(lambda driver: one(driver, "#claims .tools output").text)
    left = [line for line in every(page, "#claims tr[data-words]") if line.is_displayed()]
    assert len(left) == count > 0 and all(word in line.get_attribute("data-words").split("|") for line in left)
    assert one(page, ".scorecard [aria-pressed=true]").get_attribute("data-word") == word


def search(page, words):
    """Type words into the page's search and open the first hit."""
    page.switch_to.active_element.send_keys(Keys.CONTROL, "k")
    one(page, "#search-words").send_keys(words)
    wait(page).until(lambda driver: every(driver, "#search-hits a"))
    page.switch_to.active_element.send_keys(Keys.ENTER)


def test_search_leads_to_a_claim(page):
    search(page, "F3")

    wait(page).until(lambda driver: one(driver, "#claim-F3").is_displayed())
    assert not one(page, "#search").get_property("open")


def test_every_hit_of_a_search_shows_the_words(page):
    page.switch_to.active_element.send_keys(Keys.CONTROL, "k")
    one(page, "#search-words").send_keys("pgd")

    wait(page).until(lambda driver: len(every(driver, "#search-hits a")) > 3)

    hits = [hit.text.lower() for hit in every(page, "#search-hits a")]
    assert all("pgd" in hit and len(hit) < 240 for hit in hits), hits


def test_search_leads_to_a_file_and_what_it_was_made_from(page):
    search(page, "networks/cnn.0")

    wait(page).until(lambda driver: one(driver, "#origin").get_property("open"))
    assert "networks/cnn.0" in one(page, "#origin-body").text


def test_a_table_is_one_tab_stop_and_arrows_reach_every_number(page):
    chapter = opened(page, "#chapter-detection", "#chapter-detection")
    table = next(table for table in every(chapter, "table") if len(every(table, "tbody .number")) > 2)
    numbers = every(table, "tbody .number")

    page.execute_script("arguments[0].tabIndex = 0; arguments[0].focus()", numbers[0])
    for _ in numbers[1:4]:
        page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)

    assert page.switch_to.active_element == numbers[:4][-1]
    assert len([stop for stop in every(table, ".number") if stop.get_property("tabIndex") == 0]) == 1


def test_the_keyboard_opens_and_closes_a_number(page):
    page.execute_script("document.querySelector('#claims .number').focus()")

    page.switch_to.active_element.send_keys(Keys.ENTER)
    dialog_is(page, True)
    page.switch_to.active_element.send_keys(Keys.ESCAPE)

    dialog_is(page, False)
    assert "number" in page.switch_to.active_element.get_attribute("class")


def test_a_link_into_a_folded_part_opens_it(page):
    press(page, one(page, "nav a[href='#files']"))
    page.execute_script("location.hash = '#claim-G2'")

    wait(page).until(lambda driver: one(driver, "#claim-G2").is_displayed())


def test_the_whole_page_fits_its_window_in_both_colour_schemes_and_a_sheet_where_it_is_printed(page):
    unfold(page)
    for width, scheme in itertools.product((PHONE, DESK), ("light", "dark")):
        shown(page, width, scheme)
        wide, window, paper, ink = page.execute_script(
            "const style = getComputedStyle(document.body);"
            "return [Math.max(document.documentElement.scrollWidth, document.body.scrollWidth), innerWidth,"
            " style.backgroundColor, style.color]"
        )
        bright = {name: sum(map(int, colour[4:-1].split(", "))) for name, colour in (("paper", paper), ("ink", ink))}

        assert wide <= window == width, scheme
        assert (bright["paper"] > bright["ink"]) is (scheme == "light"), width
        assert abs(bright["paper"] - bright["ink"]) > 400

    printed(page, SHEET)
    too_wide = page.execute_script(
        "return [...document.querySelectorAll('table, .picture, p, dl')].filter(e => e.offsetParent"
        " && (e.offsetLeft + e.scrollWidth > innerWidth)).map(e => `${e.tagName} ${e.ariaLabel ?? e.textContent}`)"
    )
    assert too_wide == []
    assert not one(page, "nav").is_displayed()


@pytest.mark.parametrize(
    ("words", "kind"), [("glossary", "section"), ("union attack", "term"), ("trace number F3", "claim")]
)
def test_search_reaches_terms_and_the_details_of_claims(page, words, kind):
    one(page, "#search-open").click()
    one(page, "#search-words").send_keys(words)
    wait(page).until(lambda driver: every(driver, "#search-hits a"))

    assert kind in [hit.text for hit in every(page, "#search-hits small")]


def test_search_lists_figures_by_their_names(page):
    names = [figure.get_attribute("id").removeprefix("figure-") for figure in every(page, "figure")]
    name = max(names, key=len).replace("_", " ")  # a short one, such as images, is in many lines
    one(page, "#search-open").click()
    one(page, "#search-words").send_keys(name)
    wait(page).until(lambda driver: every(driver, "#search-hits a"))

    assert "figure" in [hit.text for hit in every(page, "#search-hits small")]


def test_a_filter_leaves_folds_without_hits_closed(page):
    for part in every(page, "#claims .folds > details[data-holds]"):
        page.execute_script("arguments[0].open = true", part)
    page.execute_script("document.querySelector('.scorecard tbody td button').click()")
    page.execute_async_script("setTimeout(arguments[0], 500)")

    empty = page.execute_script(
        "return [...document.querySelectorAll('#claims .folds > details[data-holds][open]')]"
        ".filter((part) => !part.querySelector('tr[data-words]:not([hidden])')).length"
    )
    assert empty == 0
