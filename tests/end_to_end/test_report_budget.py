"""What a report may weigh: bytes, screens, time, tab stops, widths, sheets of paper; and that everyone can read it.

The tiny study's report is always measured; those of finished studies in reports/ are measured if they are there.
axe-core is the copy in the package axe-playwright-python, so it is locked like every other tool and no page carries it.
"""

import json
import os
import re
import shutil
from base64 import b64decode
from importlib.metadata import distribution
from pathlib import Path

import pytest
from selenium import webdriver

ROOT = Path(__file__).parents[2]
AXE = Path(str(distribution("axe-playwright-python").locate_file("axe_playwright_python/axe.min.js")))
REPORTS = sorted(ROOT.glob("reports/*/report.html"))
MOST_BYTES, SCREENS, STOPS, SHEETS = 1_500_000, 12, 300, 6
SMALLEST = 11  # pixels of a figure's text on a phone
READY, DIALOG = 400, 200  # milliseconds, the first beyond what an empty page takes
# Times are for a quiet desk computer: TOUCHSTONE_SLOW=1 asks for them. By default only a page that hangs fails.
SLOW = float(os.environ.get("TOUCHSTONE_SLOW", "20"))
WIDTHS = (1400, 390)
FOCUSABLE = "a[href], button, input, summary, [tabindex]"


@pytest.fixture(scope="module")
def browser():
    paths = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if not all(paths):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = paths[0]
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(paths[1]))
    yield driver
    driver.quit()


@pytest.fixture(params=["tiny", *(path.parent.name for path in REPORTS)])
def report(request):
    """The path of a report: the tiny study's, or one that is finished in this checkout."""
    root = request.getfixturevalue("tiny").root if request.param == "tiny" else ROOT
    return root / f"reports/{request.param}/report.html"


def shown(browser, report, width=1400, scheme="light"):
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(report.as_uri())
    # Tables are prepared right after the page can be read.
    browser.execute_async_script(
        "const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => done()), 300)"
    )
    return browser


def ready(browser, path):
    """The least of three times until a page can be read, in milliseconds."""
    times = []
    for _ in range(3):
        browser.get(path.as_uri())
        times.append(
            browser.execute_script("return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        )
    return min(times)


def test_a_report_is_small_and_short_and_has_few_tab_stops(browser, report):
    page = shown(browser, report)

    height, stops = page.execute_script(
        "return [document.documentElement.scrollHeight, [...document.querySelectorAll(arguments[0])]"
        ".filter((part) => part.tabIndex >= 0 && part.checkVisibility()).length]", FOCUSABLE
    )  # fmt: skip

    assert report.stat().st_size <= MOST_BYTES
    assert height <= 1000 * SCREENS
    assert stops <= STOPS


def test_a_report_is_ready_at_once_and_so_is_its_first_dialog(browser, report, tmp_path):
    empty = tmp_path / "empty.html"
    empty.write_text("<!doctype html><title>Empty</title>")

    assert ready(browser, report) - ready(browser, empty) <= READY * SLOW
    took = shown(browser, report).execute_async_script(
        "const done = arguments[0], start = performance.now(), dialog = document.getElementById('origin');"
        "const number = document.querySelector('.number'); if (!number) return done(0); number.click();"
        "const look = () => dialog.open ? done(performance.now() - start) : setTimeout(look, 2); look();"
    )
    assert took <= DIALOG * SLOW


@pytest.mark.parametrize("width", WIDTHS)
def test_no_table_is_wider_than_its_column(browser, report, width):
    page = shown(browser, report, width)

    wide = page.execute_script(
        "return [...document.querySelectorAll('table')].filter((table) => table.offsetParent"
        " && table.scrollWidth > table.parentElement.clientWidth + 1).map((table) => table.ariaLabel)"
    )

    assert wide == []
    assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_the_text_of_every_figure_is_legible_on_a_phone(browser, report):
    page = shown(browser, report, min(WIDTHS))
    page.execute_script("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    page.execute_async_script("setTimeout(arguments[0], 1000)")  # folded parts are unpacked when they are opened

    sizes = page.execute_script(
        "return [...document.querySelectorAll('figure svg text')].map((text) => {"
        "  const { a, b } = text.getScreenCTM();"
        "  const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);"
        "  return [text.closest('figure').id, size]; })"
    )

    assert len(sizes) > 50
    small = {figure: size for figure, size in sizes if size < SMALLEST - 0.01}
    assert small == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_everyone_can_read_a_report(browser, report, width, scheme):
    page = shown(browser, report, width, scheme)
    page.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text()})

    violations = page.execute_async_script(
        "const done = arguments[0];"
        "axe.run().then((all) => done(all.violations.map((one) => [one.id, one.nodes.map((node) => node.html)])))"
    )

    assert violations == [], json.dumps(violations)[:2000]


def test_a_report_prints_to_few_sheets(browser, report):
    sheet = {"paperWidth": 8.27, "paperHeight": 11.69}

    pdf = b64decode(shown(browser, report).execute_cdp_cmd("Page.printToPDF", sheet)["data"])

    assert 1 <= len(re.findall(rb"/Type\s*/Page[^s]", pdf)) <= SHEETS
