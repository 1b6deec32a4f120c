"""The chapters' quizzes: five questions each, their answers computed by the package.

Each chapter's ``quiz.py`` has a function ``questions() -> tuple[Question, ...]``.
A number in a question or an answer is computed there from the networks, so that it can't drift.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module

__all__ = ["Choice", "Question", "questions"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer that a reader can choose.

    Attributes:
        text: The answer; `code` between backticks.
        why: Why it is right or wrong: it explains, and repeats neither.
        right: Whether it is the right one.
    """

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A question with three or four answers, of which one is right.

    Attributes:
        text: The question; `code` between backticks.
        choices: The answers, in the order shown.

    Raises:
        ValueError: Not three or four different answers, not one right one, or a missing reason.
    """

    text: str
    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        texts = {choice.text for choice in self.choices}
        if len(texts) != len(self.choices) or not 3 <= len(texts) <= 4:
            raise ValueError(f"{self.text!r} needs three or four different answers: {texts}")
        if sum(choice.right for choice in self.choices) != 1:
            raise ValueError(f"{self.text!r} needs exactly one right answer")
        if not all(choice.why for choice in self.choices):
            raise ValueError(f"{self.text!r}: each answer says why it is right or wrong")


@cache
def questions(key: str) -> tuple[Question, ...]:
    """The quiz of one chapter.

    Args:
        key: The chapter's slug, such as ``lenet5``.

    Returns:
        Its questions, in order.

    Raises:
        KeyError: No such chapter.
    """
    try:
        module = import_module(f"lineage_site.chapters.{key}.quiz")
    except ModuleNotFoundError as error:
        raise KeyError(key) from error
    found: tuple[Question, ...] = module.questions()
    return found
