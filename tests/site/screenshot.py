"""``python -m tests.site.screenshot [SITE] [OUT] [PATH]``: pictures of the built site.

Without OUT, the two of the README: the chapter's top, light and dark. With OUT, every page type,
light and dark, wide and narrow, for a look at what was made; with PATH (``chapters/vgg/``) that
page alone.
"""

import sys
from pathlib import Path

from PIL import Image

from tests.site.browser import arrive, chromium, served

README = Path("docs/assets")
PAGES = {"home": "", "chapter": "chapters/lenet5/", "lab": "labs/lenet5/", "api": "api/anatomy/",
         "timeline": "timeline/", "choosing": "choosing/", "verified": "verified/"}  # fmt: skip


def take(site: Path, out: Path | None) -> None:
    with served(site) as home, chromium() as browser:
        for scheme in ("light", "dark"):
            if out is None:
                page = browser.new_page(
                    color_scheme=scheme, viewport={"width": 1280, "height": 860}
                )
                arrive(page, home + PAGES["chapter"])
                page.evaluate("document.querySelector('#the-idea').scrollIntoView()")
                page.wait_for_timeout(800)  # the header fades from the site's name to the page's
                file = README / f"site-{scheme}.png"
                page.screenshot(path=file)
                with Image.open(file) as picture:
                    picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=224).save(
                        file, optimize=True
                    )
                print(file, file.stat().st_size)
                continue
            out.mkdir(parents=True, exist_ok=True)
            for width in (1440, 390):
                page = browser.new_page(
                    color_scheme=scheme, viewport={"width": width, "height": 900}
                )
                for name, path in PAGES.items():
                    arrive(page, home + path)
                    page.screenshot(path=out / f"{name}-{scheme}-{width}.png", full_page=True)
                page.close()


if __name__ == "__main__":
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
    if len(sys.argv) > 3:
        PAGES = {sys.argv[3].strip("/").replace("/", "-"): sys.argv[3]}
    take(site, Path(sys.argv[2]) if len(sys.argv) > 2 else None)
