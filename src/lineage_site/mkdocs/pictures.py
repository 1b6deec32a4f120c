"""Takes photographs out of the pages' figures into files, each once for the whole site.

A figure's file carries its photographs, so that it can be looked at alone. On a page they would
come before the text that follows them, and again for each figure that shows them. A hook of mkdocs.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

LEAST = 1500  # characters; what is smaller costs less inside the page than a request of its own
DATA = re.compile(rf'href="data:image/(webp|png);base64,([A-Za-z0-9+/=]{{{LEAST},}})"')


def on_post_page(output: str, /, page: Page, config: MkDocsConfig, **_: Any) -> str:
    folder = Path(config.site_dir, "assets/pictures")
    up = "../" * page.url.count("/")

    def taken(match: re.Match[str]) -> str:
        content = base64.b64decode(match[2])
        name = f"{hashlib.sha256(content).hexdigest()[:16]}.{match[1]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return f'href="{up}assets/pictures/{name}"'

    return DATA.sub(taken, output)
