"""Every page in a real browser: silent, self-contained, readable by all, on any screen."""

import importlib.util
import json
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pytest
from built_site import html_of

from _build.pages import ROOT, all_pages

pytestmark = pytest.mark.browser
PAGES = [html_of(page) for page in all_pages() if page != ROOT / "README.md"]
# Some of the pages that are all made alike: a short one, one of two values, a long one.
PAGES += [f"recipes/architectures/{name}.html" for name in ("gpt2", "t5", "qwen3_next")]
# Pages of a folder have the same menus around them, and sources that are folded. To read a page as
# those do who do not see it takes most of the time, and all pages are made by one theme: the first
# of each folder and those with a drawing to point at are read whole and in both schemes, and of the
# others one in eight in the light or in the dark; by hand PAGES=all reads all of them whole. Every
# page is opened, on a screen and on a phone.
FIRST = {PurePosixPath(page).parent: page for page in sorted(PAGES, reverse=True)}
OWN = ("index.html", "blocks/index.html", "learn/play.html")
WHOLE = set(PAGES if os.environ.get("PAGES") == "all" else (*FIRST.values(), *OWN))
READ = WHOLE | set(PAGES[::8])
SCHEMES = ("light", "dark")
REPEATED = (".md-header", ".md-sidebar", ".md-footer", ".source pre", ".mkdocstrings-source pre")
STANDARDS = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
CONTRAST = {"type": "rule", "values": ["color-contrast"]}  # the others do not depend on the scheme
# Colours change at once: halfway from light to dark they have no contrast.
STILL = """const style = document.createElement("style");
    style.textContent = "* {transition: none !important}";
    document.head.append(style)"""


@pytest.fixture(scope="session")
def axe() -> str:
    found = importlib.util.find_spec("axe_core_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs the extra `browser`")
    return (Path(found.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


def requests(driver) -> set[str]:
    """Where the browser asked for something, since it was last asked."""
    messages = [json.loads(row["message"])["message"] for row in driver.get_log("performance")]
    return {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }


def violations(driver, rules: dict[str, object], without: Iterable[str] = ()) -> list[str]:
    """What axe-core, which the page has loaded, calls serious or critical."""
    driver.set_script_timeout(600)
    # What passes need not be described, which takes as long as finding it.
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    parts = {"include": [["html"]], "exclude": [[selector] for selector in without]}
    run = "axe.run(arguments[0], arguments[1]).then(arguments[2])"
    found = driver.execute_async_script(run, parts, options)
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][-160:]}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def scheme_of(driver) -> str:
    return driver.execute_script("return document.body.getAttribute('data-md-color-scheme')")


def darken(browser) -> None:
    """Has the reader's device ask for the dark, and waits for it."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.driver.execute_script(STILL)
    browser.look("dark")
    WebDriverWait(browser.driver, 60, 0.02).until(lambda _: scheme_of(browser.driver) == "slate")


def read(page: str, browser, axe: str) -> None:
    """Asserts that the page, which is open in the light, is one that all can read."""
    driver = browser.driver
    first, *others = SCHEMES if page in WHOLE else [SCHEMES[PAGES.index(page) // 8 % 2]]
    if first == "dark":
        darken(browser)
    driver.execute_script(axe)
    assert violations(driver, STANDARDS, without=() if page in WHOLE else REPEATED) == []
    if others:
        darken(browser)
        assert violations(driver, CONTRAST) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_silent_self_contained_and_open_to_all(page, browser, address, axe):
    """One load serves both widths and schemes, which a reader may change too."""
    driver = browser.driver
    requests(driver)
    driver.get_log("browser")
    browser.open(f"{address}/{page}")
    assert driver.find_element("css selector", "h1").text
    assert scheme_of(driver) == "default"
    browser.look(width=360)
    width = driver.execute_script("return document.documentElement.scrollWidth")
    assert width <= 360, "on a phone the page scrolls sideways"
    browser.look()
    if page in READ:
        read(page, browser, axe)
    assert [row["message"] for row in driver.get_log("browser")] == []
    elsewhere = {url for url in requests(driver) if not url.startswith((address, "data:", "blob:"))}
    assert elsewhere == set(), "the page asks something of another site"
