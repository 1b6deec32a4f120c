"""Draw a digit: milliseconds from a stroke's event to the redrawn answer, in a real Chromium.

A mouse draws zigzags over the page of a built site. For each of its moves the clock runs from the
browser's dispatch of the event to the end of the page's work: the stroke's new piece, the picture
like MNIST's, the network, every map, the bars, and the layout of it all. The browser paints after
that, in its next frame; how long the event waited before it was dispatched, and until the frame
after it, is told as well.

    python benchmarks/draw.py site --moves 100
"""

import argparse
import platform
import random
import statistics
from pathlib import Path

from tests.site.browser import chromium, served

WATCH = """() => {
  window.laps = [];
  let start = 0;
  addEventListener('pointermove', () => { start = performance.now(); }, { capture: true });
  addEventListener('pointermove', (event) => {
    document.body.getBoundingClientRect();  // style and layout are done here, not later
    const lap = { work: performance.now() - start, waited: start - event.timeStamp };
    requestAnimationFrame(() => setTimeout(() => {
      lap.frame = performance.now() - event.timeStamp;
    }));
    window.laps.push(lap);
  });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--moves", type=int, default=100)
    arguments = parser.parse_args()
    generator = random.Random(0)
    with served(arguments.site) as home, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(home + "try/draw-a-digit/", wait_until="networkidle")
        page.locator("#ll-draw[data-ready]").wait_for()
        canvas = page.locator("#ll-draw [data-part='canvas']")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        page.evaluate(WATCH)
        x, y = box["x"] + 140, box["y"] + 140
        page.mouse.move(x, y)
        page.mouse.down()
        page.evaluate("laps.length = 0")
        for _ in range(arguments.moves):
            x = min(max(x + generator.uniform(-30, 30), box["x"] + 5), box["x"] + 275)
            y = min(max(y + generator.uniform(-30, 30), box["y"] + 5), box["y"] + 275)
            page.mouse.move(x, y)
        page.mouse.up()
        page.wait_for_timeout(500)
        laps = page.evaluate("laps")[: arguments.moves]
        print(f"Chromium {browser.version}, {platform.machine()}, {len(laps)} moves of a mouse")
    for name, words in (("work", "event to answer, laid out"), ("waited", "waited before"),
                        ("frame", "event to the frame painted")):  # fmt: skip
        values = sorted(lap[name] for lap in laps)
        print(f"{words:28} median {statistics.median(values):6.2f}  most {values[-1]:6.2f} ms")


if __name__ == "__main__":
    main()
