"""The site's search in a real Chromium, given what nobody should give it: no script runs."""

from urllib.parse import quote

import pytest
from playwright.sync_api import Page

from tests.rows import each

PAGE = ""
HOSTILE = {
    "image": "<img src=x onerror='window.hurt = 1'>",
    "script": "<script>window.hurt = 1</script>",
    "closed": "'\"></mark></a></li><svg onload=window.hurt=1>",
    "link": "javascript:window.hurt=1",
    "template": "${window.hurt = 1} {{constructor.constructor('window.hurt=1')()}}",
    "lenet and image": "lenet <img src=x onerror=window.hurt=1>",
    "long": "lenet " * 2000,
    "one long word": "x" * 20_000,
    "pattern": "(((a+)+)+$ [ \\ * + ? ^ | {1,99999}",
    "operators": '+-:~^*"lenet" title:^99 ~~ ::: *',
    "unknown field": "__proto__:constructor toString:x",
    "right to left": "\u202etenel\u202c \u2066x\u2069",
    "letters": "é ü 漢字 العربية 😀 \u200b\ufeff\u0300\u0300\u0300",
    "half a pair": "\ud83d lenet",
    "null": "len\u0000et",
    "empty": "   ",
}
# What a hostile text could have changed: a mark of ours, markup within the results, handlers.
TRACES = """() => [window.hurt ?? null,
  document.querySelectorAll('[data-md-component=search] :is(script, img, iframe, object)').length,
  [...document.querySelectorAll('[data-md-component=search] *, article *')].filter(
    e => [...e.attributes].some(a => a.name.startsWith('on'))).length]"""


FOUND = """words => [...document.querySelectorAll('.md-search-result__link')].slice(0, 1).some(
  link => link.textContent.includes(words))"""


def search(page: Page, text: str) -> None:
    """Typed, as far as the page can tell: it listens to keys."""
    box = page.locator("input.md-search__input")
    box.evaluate("(box, text) => { box.value = text; }", text)
    box.press("End")


@pytest.fixture
def errors(page: Page) -> list[str]:
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("dialog", lambda dialog: (found.append(dialog.message), dialog.dismiss()))
    return found


@pytest.mark.parametrize("name", each(HOSTILE, 3))
def test_a_hostile_search_runs_nothing(name: str, page: Page, errors: list[str], home: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("/")
    search(page, "vgg")
    page.wait_for_function(FOUND, arg="VGG")
    search(page, HOSTILE[name])
    page.wait_for_timeout(500)
    assert page.evaluate(TRACES) == [None, 0, 0]
    assert errors == []
    assert [url for url in asked if not url.startswith(home)] == []
    search(page, "lenet")  # and it still finds
    page.wait_for_function(FOUND, arg="LeNet")


@pytest.mark.parametrize("name", each([n for n in HOSTILE if n != "half a pair"], 4))
@pytest.mark.parametrize("key", ["q", "h"])
def test_a_hostile_address_runs_nothing(
    key: str, name: str, page: Page, errors: list[str], home: str
) -> None:
    """The search can be shared as an address (q), and a result marks its words by one (h)."""
    page.goto(f"{home}chapters/lenet5/?{key}={quote(HOSTILE[name][:1500])}")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)
    assert page.evaluate(TRACES) == [None, 0, 0]
    assert errors == []
    assert "LeNet-5" in page.locator(".md-content h1").inner_text()
