"""The anatomy of a transformer: by keyboard, on a phone, in the light and in the dark."""

import itertools
import urllib.request
from urllib.parse import urldefrag, urljoin

import pytest

pytestmark = pytest.mark.browser
PAGE = "blocks/index.html"
LINKS = ".anatomy a"
WHERE = "return [...document.querySelectorAll('.anatomy svg')].map(one => {" + (
    "const box = one.getBoundingClientRect();"
    "return [box.left, box.top, box.right, box.bottom].map(Math.round)})"
)
# Contrast of each word with the ground of its box or, without one, of the page.
CONTRAST = """
const paper = getComputedStyle(document.body).backgroundColor;
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const light = (...layers) => {
    for (const layer of layers) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(
        (x) => x / 255 <= 0.03928 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
return [...document.querySelectorAll('.anatomy text')].map((text) => {
    const box = text.closest('a')?.querySelector('rect.slot');
    const panel = text.ownerSVGElement.querySelector('rect.panel');
    const layers = [paper, ...[panel, box].filter(Boolean).map((x) => getComputedStyle(x).fill)];
    const [ground, ink] = [light(...layers), light(...layers, getComputedStyle(text).fill)];
    return [text.textContent, (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05)];
})
"""


def key(name: str) -> str:
    from selenium.webdriver.common.keys import Keys

    return getattr(Keys, name)


@pytest.fixture
def page(browser, address):
    """The driver, with the page open."""
    browser.open(f"{address}/{PAGE}")
    return browser.driver


def test_every_link_leads_to_a_page_and_a_place_on_it(page):
    links = {
        link.get_property("href")["baseVal"] for link in page.find_elements("css selector", LINKS)
    }
    assert len(links) > 15
    for link in links:
        target, anchor = urldefrag(urljoin(page.current_url, link))
        with urllib.request.urlopen(target) as answer:
            text = answer.read().decode()
        assert not anchor or f'id="{anchor}"' in text, link


def test_the_keyboard_reaches_every_box_and_shows_where_it_is(page):
    links = page.find_elements("css selector", LINKS)
    thickness = "return getComputedStyle(arguments[0].querySelector('rect')).strokeWidth"
    before = [page.execute_script(thickness, link) for link in links]
    page.execute_script(
        "const start = document.querySelector('article h1');"
        "start.tabIndex = -1; start.focus({preventScroll: true})"
    )
    page.switch_to.active_element.send_keys(key("TAB"))  # to the title's own link
    for link, thin in zip(links, before, strict=True):
        page.switch_to.active_element.send_keys(key("TAB"))
        assert page.switch_to.active_element == link
        assert float(page.execute_script(thickness, link)[:-2]) > float(thin[:-2])


def test_enter_opens_what_can_stand_in_a_box(page, address):
    (mask,) = page.find_elements("css selector", ".anatomy a[aria-label^='mask:']")
    assert mask.accessible_name == "mask: which keys are visible to which queries"
    page.execute_script("arguments[0].focus()", mask)
    page.switch_to.active_element.send_keys(key("ENTER"))
    assert page.current_url == f"{address}/blocks/attention/masks.html"


def test_on_a_screen_three_panels_stand_side_by_side(page):
    model, layer, attention, mlp = page.execute_script(WHERE)
    assert model[2] <= layer[0]
    assert layer[2] <= attention[0]
    assert model[1] == layer[1] == attention[1]
    assert attention[3] <= mlp[1]
    assert abs(model[3] - mlp[3]) <= 2
    assert model[3] == layer[3]


def test_on_a_phone_the_panels_stand_below_each_other_and_can_be_read(browser, page):
    browser.look(width=360)
    panels = page.execute_script(WHERE)
    assert all(left >= 0 and right <= 360 for left, _, right, _ in panels)
    assert all(upper[3] <= lower[1] for upper, lower in itertools.pairwise(panels))
    assert page.execute_script("return document.documentElement.scrollWidth") <= 360
    sizes = page.execute_script(
        "return [...document.querySelectorAll('.anatomy rect.slot')].map("
        "one => one.getBoundingClientRect()).map(box => Math.min(box.width, box.height))"
    )
    assert min(sizes) >= 24  # what a finger hits
    scale = (panels[0][2] - panels[0][0]) / 230
    assert scale * 12.3 >= 12


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_have_contrast(scheme, browser, address):
    browser.look(scheme)
    browser.open(f"{address}/{PAGE}")
    words = browser.driver.execute_script(CONTRAST)
    assert len(words) > 30
    assert [word for word in words if word[1] < 4.5] == []
