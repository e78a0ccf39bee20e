"""Every page in a real browser: silent, self-contained, readable by all, on any screen."""

import importlib.util
import json
from pathlib import Path

import pytest
from built_site import html_of

from _build.pages import ROOT, all_pages

pytestmark = pytest.mark.browser
PAGES = [html_of(page) for page in all_pages() if page != ROOT / "README.md"]
RULES = {
    "light": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "dark": {"type": "rule", "values": ["color-contrast"]},  # the others do not depend on it
}


@pytest.fixture(scope="session")
def axe() -> str:
    found = importlib.util.find_spec("axe_core_python")
    if found is None:
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


def violations(driver, axe: str, scheme: str) -> list[str]:
    """What axe-core calls serious or critical."""
    driver.execute_script(axe)
    driver.set_script_timeout(60)
    # What passes need not be described, which takes as long as finding it.
    options = {"runOnly": RULES[scheme], "resultTypes": ["violations"]}
    found = driver.execute_async_script(
        "axe.run(arguments[0]).then(arguments[arguments.length - 1])", options
    )
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][-160:]}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_without_an_error_or_a_request_elsewhere(page, browser, address):
    driver = browser.driver
    requests(driver)
    driver.get_log("browser")
    driver.get(f"{address}/{page}")
    assert driver.find_element("css selector", "h1").text
    assert [row["message"] for row in driver.get_log("browser")] == []
    elsewhere = {url for url in requests(driver) if not url.startswith((address, "data:", "blob:"))}
    assert elsewhere == set()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_a_reader_out(page, scheme, browser, address, axe):
    browser.look(scheme)
    browser.driver.get(f"{address}/{page}")
    scripted = browser.driver.execute_script(
        "return document.body.getAttribute('data-md-color-scheme')"
    )
    assert scripted == {"light": "default", "dark": "slate"}[scheme]
    assert violations(browser.driver, axe, scheme) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_phone_scrolls_down_only(page, browser, address):
    browser.look(width=360)
    browser.driver.get(f"{address}/{page}")
    width = browser.driver.execute_script("return document.documentElement.scrollWidth")
    assert width <= 360
