"""The services of a page in a real Chromium: copy, report, search by name, keys, paper."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page

from lineage_lab.anatomy.network import describe
from tests.site.browser import CHROMIUM, arrive
from tests.site.test_search import search

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

CHAPTER = "chapters/vgg/"


@pytest.fixture(scope="module")
def page(browser: Browser, home: str) -> Iterator[Page]:
    """One page for the whole file: each test opens what it needs."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    yield opened
    context.close()
    assert wrong == []


def test_a_copied_session_is_what_was_typed_and_runs(page: Page, home: str) -> None:
    page.goto(f"{home}api/anatomy/", wait_until="load")
    block = page.locator(".language-pycon.highlight").first
    shown = block.locator("code").text_content() or ""
    assert shown.startswith(">>> ")
    block.hover()
    block.locator("button.md-clipboard, .md-code__button[data-md-type=copy]").first.click()
    page.wait_for_function(
        "async () => (await navigator.clipboard.readText()).includes('describe')"
    )
    copied = page.evaluate("() => navigator.clipboard.readText()")
    answers = [line for line in shown.splitlines() if line and not line.startswith((">>>", "..."))]
    assert answers
    assert not set(answers) & set(copied.splitlines())
    names: dict[str, object] = {"describe": describe}
    exec(compile(copied, "copied", "exec"), names)


TYPED = {
    "$ pip install x\nCollecting x\n": "pip install x",
    "$ make \\\n>   test\nok\n$ ls\na b\n": "make \\\n  test\nls",
    "$ cat \\\nx\ntext\n": "cat \\\nx",
    "pip install x\n": "pip install x",
    ">>> a = [\n...     1]\n>>> a\n[1]\n": "a = [\n    1]\na",
}


@pytest.mark.parametrize("text", TYPED, ids=[repr(text)[:20] for text in TYPED])
def test_prompts_and_answers_are_not_copied(page: Page, home: str, text: str) -> None:
    if not page.url.startswith(home):
        page.goto(home, wait_until="load")
    assert page.evaluate("text => typed(text)", text) == TYPED[text]


def test_a_report_takes_the_snippet_along(page: Page, home: str) -> None:
    page.goto(home + CHAPTER, wait_until="load")
    plain = page.locator(".ll-report").get_attribute("href")
    block = page.locator(".language-python.highlight").nth(1)
    code = (block.locator("code").text_content() or "").strip()
    block.hover()
    link = block.get_by_role("link", name="Report a mistake in this snippet, on github.com")
    told = parse_qs(urlsplit(link.get_attribute("href") or "").query)
    assert told["snippet"] == [code if len(code) <= 2000 else f"{code[:2000]}\n…"]
    assert told["page"][0].endswith(CHAPTER)
    block.locator("code").evaluate("code => getSelection().selectAllChildren(code)")
    page.wait_for_selector(".ll-reported button")
    assert "snippet=" in (page.locator(".ll-report").get_attribute("href") or "")
    page.locator(".ll-reported button").click()
    assert page.locator(".ll-report").get_attribute("href") == plain
    assert page.evaluate("() => document.activeElement.className") == "ll-report"


WANTED = {
    "resnet50": "chapters/resnet",
    "convnext_tiny": "chapters/convnext",
    "efficientnet_lite0": "chapters/efficientnet",
    "vit_b_16": "chapters/vit",
    "googlenet_paper": "chapters/googlenet",
    "LeCun": "chapters/lenet5",
    "Krizhevsky": "chapters/alexnet",
    "Simonyan": "chapters/vgg",
    "Dosovitskiy": "chapters/vit",
    "Zhuang Liu": "chapters/convnext",
    "replace_head": "api/",
    "describe": "api/anatomy",
    "create_model": "api/weights",
    "receptive field": "how-to-read-the-numbers",
}


def test_search_knows_names_authors_and_functions(page: Page, home: str) -> None:
    arrive(page, home)
    page.keyboard.press("/")
    missed = {}
    for words, place in WANTED.items():
        search(page, words)
        page.wait_for_timeout(500)
        page.wait_for_selector(".md-search-result__item")  # the first one waits for the index
        first = page.locator(".md-search-result__item > a").evaluate_all(
            "links => links.slice(0, 3).map(a => a.href)"
        )
        if not any(place in link for link in first):
            missed[words] = first
    assert missed == {}


def test_the_list_of_keys_opens_closes_and_gives_the_focus_back(page: Page, home: str) -> None:
    arrive(page, home + CHAPTER)
    dialog = page.locator("#ll-keys")
    page.locator(".ll-report").focus()
    page.keyboard.press("?")
    assert dialog.is_visible()
    assert page.evaluate(
        "() => document.querySelector('#ll-keys').contains(document.activeElement)"
    )
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("() => document.activeElement.matches('.ll-report')")
    page.locator(".ll-keys-open").click()
    assert dialog.is_visible()
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()
    page.keyboard.press("/")  # a question in the search is a question
    page.keyboard.type("?")
    assert not dialog.is_visible()
    assert page.locator("input.md-search__input").input_value() == "?"
    page.keyboard.press("Escape")


@pytest.mark.parametrize(("key", "to"), [("n", "googlenet"), (".", "googlenet"), ("p", "alexnet")])
def test_the_keys_of_the_list_turn_the_pages(page: Page, home: str, key: str, to: str) -> None:
    arrive(page, home + CHAPTER)
    page.keyboard.press(key)
    page.wait_for_url(f"**/chapters/{to}/")


def test_a_chapter_on_paper(page: Page, home: str) -> None:
    arrive(page, home + CHAPTER)
    page.set_viewport_size({"width": 665, "height": 970})  # A4 between its margins
    page.emulate_media(media="print")
    seen = """() => [...document.querySelectorAll(
      '.md-header, .md-sidebar, .md-footer, .md-content button, .md-content form, .ll-run, .ll-feedback')]
      .filter(e => e.checkVisibility()).map(e => e.className || e.tagName)"""
    assert page.evaluate(seen) == []
    wide = """() => [...document.querySelectorAll('.md-content *')].filter(e => e.checkVisibility()
      && !e.closest('.ll-hidden, .katex-mathml, svg') && e.getBoundingClientRect().right > innerWidth + 1)
      .map(e => `${e.tagName} ${e.className}`).slice(0, 5)"""
    assert page.evaluate(wide) == []
    ground = "() => getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    answers = page.locator("details.success").first
    assert not answers.is_visible()
    pdf = page.pdf(format="A4")
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert pdf.startswith(b"%PDF-")
    assert 8 <= pdf.count(b"/Type /Page\n") <= 40
