"""What chapters share: the table of facts and the quiz, as Markdown, and a quick count of MACs."""

from html import escape
from itertools import zip_longest

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lineage_lab.anatomy.forward import QuickNorm
from lineage_site.drawing.quiz import questions
from lineage_site.facts.ledger import facts

__all__ = ["count_macs", "fact_table", "quiz"]


def count_macs(model: nn.Module, side: int = 224) -> int:
    """The multiply-adds of a network on the meta device, in a fraction of `describe`'s time.

    Args:
        model: The network, in ``eval`` mode, without memory for its weights.
        side: Of its square images, in pixels.

    Returns:
        Multiply-adds for one image.
    """
    image = torch.empty(1, 3, side, side, device="meta")
    # The math form of attention, as in `describe`.
    with (
        torch.no_grad(),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
        QuickNorm(),
    ):
        model(image)
    flops: int = counter.get_total_flops()
    return flops // 2


def fact_table(key: str) -> str:
    """The facts of a chapter that its table shows, with their sources.

    Args:
        key: The chapter's slug.

    Returns:
        A Markdown table.
    """
    rows = (
        f"| {f.name} | {f'{f.value:,}' if isinstance(f.value, int) else f.value} | {f.source} |"
        for f in facts(key)
        if f.shown
    )
    return "\n".join(("| | | where in the paper |", "| --- | --- | --- |", *rows, ""))


def quiz(key: str) -> str:
    """The questions of a chapter: each answer opens and says why it is right or wrong.

    Without scripts too: an answer is a `details` element, and of one question only one is open.

    Args:
        key: The chapter's slug.

    Returns:
        HTML without blank lines, to be included in Markdown.
    """
    lines = [f'<div class="ll-quiz" data-quiz="{key}">']
    for number, question in enumerate(questions(key), 1):
        name = f"{key}-q{number}"
        lines += [
            f'<section class="ll-question" id="{name}" aria-labelledby="{name}-text">',
            f'<p id="{name}-text"><strong>{number}.</strong> {_inline(question.text)}</p>',
        ]
        for choice in question.choices:
            verdict = "Right." if choice.right else "Not this one."
            kind = "ll-right" if choice.right else "ll-wrong"
            lines.append(
                f'<details class="ll-choice {kind}" name="{name}">'
                f"<summary>{_inline(choice.text)}</summary>"
                f"<p><strong>{verdict}</strong> {_inline(choice.why)}</p></details>"
            )
        lines.append("</section>")
    return "\n".join((*lines, "</div>", ""))


def _inline(text: str) -> str:
    """Plain words with typographic apostrophes, and `code` between backticks."""
    parts = escape(text, quote=False).split("`")
    words = (part.replace("'", "’") for part in parts[::2])
    codes = (f"<code>{part}</code>" for part in parts[1::2])
    return "".join(w + c for w, c in zip_longest(words, codes, fillvalue=""))
