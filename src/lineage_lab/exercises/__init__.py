"""Exercises that say whether an answer is right, and if not, what is wrong, but not the answer.

One module a chapter, named by its slug, with a dictionary ``CHECKS``: a key such as ``lenet5-1``
and a checker. A checker looks at what an answer *does*, not at how it is written; it raises
`Wrong` with words that help, or returns a sentence for a right answer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lineage_lab.chapters.lineage import NETWORKS

__all__ = ["CHAPTERS", "Verdict", "Wrong", "check"]

CHAPTERS = tuple(network.key for network in NETWORKS)
"""Chapters that have exercises, in the order of the lineage."""

_ALL = (*CHAPTERS, "finetune")  # the main exercise is no chapter's

Checker = Callable[[Any], str]


class Wrong(Exception):  # noqa: N818  (it is the word that a reader sees)
    """An answer is wrong; the message says what is wrong with it and where to look."""


def number(answer: Any, what: str = "a number") -> Any:
    """The answer if it is a number, but not ``nan`` and not true or false.

    Raises:
        Wrong: It is none; the message says `what` the exercise asks for.
    """
    if isinstance(answer, bool) or not isinstance(answer, int | float) or math.isnan(answer):
        raise Wrong(f"The exercise asks for {what}; this is {answer!r}.")
    return answer


def function(answer: Any) -> Callable[..., Any]:
    """The answer if it can be called.

    Raises:
        Wrong: It can't.
    """
    if not callable(answer):
        raise Wrong(f"The exercise asks for a function; this is a {type(answer).__name__}.")
    called: Callable[..., Any] = answer
    return called


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `check` says.

    Attributes:
        key: The exercise.
        right: Whether the answer is right. A verdict is true where its answer is.
        words: What is good about it, or what is wrong.
    """

    key: str
    right: bool
    words: str

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        return f"{self.key}: {'right' if self.right else 'not yet'}. {self.words}"


def check(key: str, answer: Any) -> Verdict:
    """Look at a reader's answer to an exercise.

    Args:
        key: The exercise, such as ``lenet5-1``, as its chapter gives it.
        answer: What the exercise asks for: a network, a function, a number.

    Returns:
        The verdict. Printed, it is one or two sentences.

    Raises:
        KeyError: No such exercise; the message lists those of the chapter, or the chapters.

    Examples:
        >>> print(check("lenet5-2", 14))
        lenet5-2: not yet. A larger kernel in C1 makes every later field larger too.
    """
    chapter = key.rpartition("-")[0]
    if chapter not in _ALL:
        raise KeyError(f"no exercise {key!r}; the chapters with exercises: {', '.join(_ALL)}")
    checks: dict[str, Checker] = import_module(f"{__name__}.{chapter}").CHECKS
    if key not in checks:
        raise KeyError(f"no exercise {key!r}; this chapter has: {', '.join(checks)}")
    try:
        return Verdict(key, True, checks[key](answer))
    except Wrong as wrong:
        return Verdict(key, False, str(wrong))
    except Exception as error:
        # The answer is the reader's code: whatever it does, they get an answer, no traceback.
        return Verdict(
            key, False, f"Your code stopped with {type(error).__name__}: {str(error) or 'no words'}"
        )
