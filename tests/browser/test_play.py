"""The page to play with, in a real browser: by pointer, by keyboard, and its numbers."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recipes.generation.tokens import keep_top_k, keep_top_p

pytestmark = pytest.mark.browser
ATTENTION, SAMPLING = "#play-attention", "#play-sampling"
SETTINGS = [
    *itertools.product((0.3, 1.0, 2.0), (None, 1, 5, 50), (None, 0.1, 0.6, 0.95)),
    (0.0, None, None),
    (0.0, 3, 0.5),
]


@pytest.fixture
def page(browser, address):
    driver = browser.driver
    driver.get_log("browser")
    browser.open(f"{address}/learn/play.html")
    yield driver
    assert [row["message"] for row in driver.get_log("browser")] == []


@pytest.fixture
def data(page) -> dict:
    element = page.find_element("css selector", "#play-data")
    return json.loads(element.get_attribute("textContent"))


def part(page, root: str, name: str):
    return page.find_element("css selector", f"{root} [data-part='{name}']")


def tokens(page, root: str) -> list:
    return page.find_elements("css selector", f"{root} .play-token")


def numbers(page) -> list[float]:
    """The weights that stand below the tokens that the chosen one sees."""
    texts = [e.text for e in page.find_elements("css selector", f"{ATTENTION} .play-number")]
    return [float(text) for text in texts if text != "\u2013"]


def chosen(page, root: str) -> list[int]:
    return [
        i for i, t in enumerate(tokens(page, root)) if t.get_attribute("aria-pressed") == "true"
    ]


def press(page, key: str) -> None:
    from selenium.webdriver.common.keys import Keys

    page.switch_to.active_element.send_keys(getattr(Keys, key))


def slide(page, name: str, value: object) -> None:
    page.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        part(page, SAMPLING, name),
        value,
    )


def expected(logits: list[float], temperature: float, k: int | None, p: float | None) -> np.ndarray:
    """Probabilities as `sample_token` draws from."""
    values = jnp.array(logits)
    if temperature == 0.0:
        return np.asarray(jax.nn.one_hot(jnp.argmax(values), len(logits)))
    values = values / temperature
    values = values if k is None else keep_top_k(values, k)
    return np.asarray(jax.nn.softmax(values if p is None else keep_top_p(values, p)))


def test_its_data_is_small(page, data):
    text = page.find_element("css selector", "#play-data").get_attribute("textContent")
    assert len(text) < 300_000
    assert len(data["pieces"]) == 512


def test_its_probabilities_are_those_that_recipes_draw_from(page, data):
    ask = """return arguments[1].map(([temperature, topK, topP]) =>
        window.blocksSampling.distribution(arguments[0], {temperature, topK, topP}))"""
    for prompt in data["prompts"][:2]:
        logits = prompt["logits"][-1]
        given = page.execute_script(ask, logits, SETTINGS)
        for setting, shares in zip(SETTINGS, given, strict=True):
            np.testing.assert_allclose(shares, expected(logits, *setting), atol=1e-5)
    given = page.execute_script(ask, [1.0, 2.0, 2.0, 0.0], [[1.0, 1, None], [1.0, None, 0.4]])
    assert given == [[0.0, 0.5, 0.5, 0.0]] * 2  # equals of the last that stays stay too


def test_a_pointed_token_shows_where_it_looks(page, data):
    from selenium.webdriver import ActionChains

    sentence = data["sentences"][0]
    third = tokens(page, ATTENTION)[3]
    ActionChains(page).move_to_element(third).perform()
    assert chosen(page, ATTENTION) == [3]
    np.testing.assert_allclose(numbers(page), sentence["weights"][1][0][3], atol=0.0051)
    assert "Layer 2, head 1: token 4, " in part(page, ATTENTION, "said").text
    bar = page.find_element("css selector", f"{ATTENTION} .play-bar")
    assert bar.get_attribute("y") == "48"


def test_another_head_shows_its_own_weights_and_the_average_their_mean(page, data):
    layer = data["sentences"][0]["weights"][0]
    buttons = page.find_elements("css selector", f"{ATTENTION} .play-layer button")
    labels = [button.get_attribute("aria-label") for button in buttons]
    assert labels[:5] == [*(f"Layer 1, head {n}" for n in (1, 2, 3, 4)), "Layer 1, average"]
    buttons[2].click()
    np.testing.assert_allclose(numbers(page), layer[2][-1], atol=0.0051)
    buttons[4].click()
    mean = np.mean([head[-1] for head in layer], axis=0)
    np.testing.assert_allclose(numbers(page), mean, atol=0.0051)
    assert part(page, ATTENTION, "title").text == "Layer 1, average of the heads"


def test_arrow_keys_move_among_tokens_and_heads(page):
    last = len(tokens(page, ATTENTION)) - 1
    page.execute_script("arguments[0].focus()", tokens(page, ATTENTION)[last])
    for key, at in [("ARROW_LEFT", last - 1), ("HOME", 0), ("ARROW_RIGHT", 1), ("END", last)]:
        press(page, key)
        assert chosen(page, ATTENTION) == [at]
    press(page, "TAB")
    press(page, "ARROW_UP")
    assert part(page, ATTENTION, "title").text == "Layer 1, head 1"
    press(page, "ARROW_RIGHT")
    assert part(page, ATTENTION, "title").text == "Layer 1, head 2"


def test_a_touched_row_of_the_map_chooses_its_token(browser, page):
    browser.look(width=360)
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    where = """const map = document.querySelector("#play-attention svg[data-part=map]");
        map.scrollIntoView({block: "center"});
        const box = map.querySelector(".play-frame").getBoundingClientRect();
        return [box.x + 4, box.y + box.height * 2.5 / arguments[0]]"""
    x, y = page.execute_script(where, len(tokens(page, ATTENTION)))
    for kind, points in [("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])]:
        page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert chosen(page, ATTENTION) == [2]


def test_sliders_cut_bars_and_say_their_values(page, data):
    slide(page, "top-k", 2)  # the third of its values
    kept = int((expected(data["prompts"][0]["logits"][-1], 1.0, 3, None) > 0.0).sum())
    rows = page.find_elements("css selector", f"{SAMPLING} .play-row")
    cut = ["play-cut" in row.get_attribute("class") for row in rows]
    assert cut == [False] * kept + [True] * (13 - kept)
    assert rows[kept].text.split()[-1] == "cut"
    assert part(page, SAMPLING, "said").text.startswith(f"{kept} of 512 tokens are left")
    assert part(page, SAMPLING, "top-k").get_attribute("aria-valuetext") == "3"
    part(page, SAMPLING, "reset").click()
    assert part(page, SAMPLING, "top-k").get_attribute("aria-valuetext") == "all"
    slide(page, "temperature", 0)
    assert part(page, SAMPLING, "said").text.startswith("Temperature 0 takes the most probable")


def test_the_same_seed_draws_the_same_tokens_as_often_as_they_are_probable(page, data):
    logits = data["prompts"][0]["logits"][-1]
    shares = expected(logits, 1.0, 3, None)
    slide(page, "top-k", 2)
    drawn = []
    for _ in range(2):
        part(page, SAMPLING, "again").click()
        for _ in range(5):
            part(page, SAMPLING, "draw-many").click()
        drawn.append([e.text for e in page.find_elements("css selector", ".play-count")])
    assert drawn[0] == drawn[1]
    counts = [int(text.removeprefix("\u00d7")) for text in drawn[0] if text]
    assert sum(counts) == 500
    # Four standard deviations of a share of 500 draws are at most 0.09.
    wanted = np.sort(shares)[::-1][: len(counts)]
    np.testing.assert_allclose(np.divide(counts, 500), wanted, atol=0.09)
    said = part(page, SAMPLING, "drawn").text
    assert said.startswith("Draw 500 of seed 1: A list is a sequence of")


def test_another_place_in_the_prompt_has_its_own_logits(page, data):
    tokens(page, SAMPLING)[0].click()
    logits = data["prompts"][0]["logits"][0]
    shown = page.find_element("css selector", f"{SAMPLING} .play-name").text
    assert shown == data["pieces"][int(np.argmax(logits))].replace(" ", "␣")
