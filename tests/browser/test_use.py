"""What a reader does: search, move by keyboard, copy, open the site as files."""

import os
import re
import subprocess
import sys

import pytest
from public_names import BLOCKS

from _build.pages import ROOT

pytestmark = pytest.mark.browser
# The buttons of snippets; a signature in the reference has one too.
SNIPPETS = ".language-python:not(.doc-signature) .md-code__button"
NAMES = [name for name in BLOCKS if name != "Block"]  # that word stands on every page
if os.environ.get("PAGES") != "all":
    NAMES = NAMES[::5]  # each takes the browser as long


def keys(*names: str) -> str:
    from selenium.webdriver.common.keys import Keys

    return "".join(getattr(Keys, name) for name in names)


def until(driver, condition, message: str, seconds: float = 10.0):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, seconds, 0.05).until(lambda _: condition(), message)


def found(driver, words: str) -> list[str]:
    """Where the first results of a search lead."""
    field = driver.find_element("css selector", "input.md-search__input")
    # A search for every letter would take most of the time.
    driver.execute_script("arguments[0].value = arguments[1]", field, words[:-1])
    field.send_keys(words[-1])
    shown = "return [...document.querySelectorAll('.md-search-result__item a')].map(a => a.href)"
    meta = "return document.querySelector('.md-search-result__meta').innerText"
    until(driver, lambda: re.search("matching|No", driver.execute_script(meta)), f"search {words}")
    wanted = re.compile(rf"#blocks\.([\w.]+\.)?{words}$|/{words}\.html", re.IGNORECASE)
    until(driver, lambda: any(map(wanted.search, driver.execute_script(shown)[:12])), words, 5.0)
    return driver.execute_script(shown)


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_the_search_finds_every_public_block(scheme, browser, searchable, site):
    driver = browser.driver
    driver.get_log("browser")
    browser.open(f"{searchable}/index.html" if scheme == "http" else (site / "index.html").as_uri())
    driver.find_element("css selector", "body").send_keys("/")
    for name in NAMES if scheme == "http" else ["RMSNorm"]:
        assert found(driver, name)
    assert [row["message"] for row in driver.get_log("browser")] == []


def test_a_reader_gets_around_by_keyboard(browser, searchable):
    driver = browser.driver
    browser.open(f"{searchable}/blocks/norms/rms_norm.html")
    active = "return document.activeElement"
    seen = []
    for _ in range(30):
        driver.switch_to.active_element.send_keys(keys("TAB"))
        element = driver.execute_script(active)
        seen.append(element.get_attribute("href") or element.tag_name)
        outline = "return getComputedStyle(arguments[0]).outlineStyle"
        if element.tag_name == "a":
            assert driver.execute_script(outline, element) != "none", seen[-1]
    assert seen[0].endswith("#rmsnorm")  # past the navigation
    assert any(link.endswith("/index.html") for link in seen)
    driver.find_element("css selector", "body").send_keys("/")
    field = driver.switch_to.active_element
    assert field.get_attribute("type") == "text"
    field.send_keys("MultiHeadAttention")
    until(
        driver,
        lambda: driver.find_elements("css selector", ".md-search-result__item a"),
        "no result",
    )
    field.send_keys(keys("ARROW_DOWN"))
    driver.switch_to.active_element.send_keys(keys("ENTER"))
    until(driver, lambda: "rms_norm" not in driver.current_url, "Enter opens the result")


@pytest.mark.parametrize("page", ["index.html", "blocks/norms/rms_norm.html"])
def test_what_the_copy_button_gives_runs_as_it_is(page, browser, address, tmp_path):
    driver = browser.driver
    browser.open(f"{address}/{page}")
    grant = {"origin": address, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    driver.execute_cdp_cmd("Browser.grantPermissions", grant)
    copied = []
    read = "navigator.clipboard.readText().then(arguments[arguments.length - 1])"

    def another() -> bool:
        text = driver.execute_async_script(read)
        return bool(text) and text not in copied

    def buttons() -> list:
        return driver.find_elements("css selector", SNIPPETS)

    # The page's script adds them after the page has come.
    until(driver, lambda: len(buttons()) >= 2, "there are no buttons")
    for button in buttons():
        if button.get_attribute("title") == "Copy to clipboard":
            driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
            button.click()
            until(driver, another, "nothing was copied")
            copied.append(driver.execute_async_script(read))
    assert len(copied) >= 2
    command = [sys.executable, "-c", "\n".join(copied)]
    # The page's own programs, which the build has compiled, with the flags of `pytest_configure`.
    environment = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "true", "JAX_PLATFORMS": "cpu"}
    environment |= {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
