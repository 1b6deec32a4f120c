"""The built site, served, and a browser to look at it with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.site.browser import CHROMIUM, arrive, chromium, served, tab


@pytest.fixture(scope="module")
def home(built_site: Path) -> Iterator[str]:
    with served(built_site) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, home: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page that a test file is about: its `PAGE`, such as ``timeline/``."""
    with tab(browser, home) as opened:
        arrive(opened, home + request.module.PAGE)
        yield opened
