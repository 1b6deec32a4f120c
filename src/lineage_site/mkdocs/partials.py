"""Sets parts that are templates into pages: `<!-- partial:keys -->` becomes partials/keys.html.

A hook of mkdocs. Standard library only.
"""

import re
from typing import Any

MARK = re.compile(r"<!-- partial:([a-z]+) -->")
ENVIRONMENT: dict[str, Any] = {}


def on_env(env: Any, **_: Any) -> None:
    ENVIRONMENT["env"] = env


def on_page_context(context: dict[str, Any], page: Any, config: Any, **_: Any) -> None:
    def part(mark: re.Match[str]) -> str:
        template = ENVIRONMENT["env"].get_template(f"partials/{mark[1]}.html")
        return template.render(config=config, page=page)

    page.content = MARK.sub(part, page.content)
