"""The quizzes: five questions a chapter, each with one right answer and a reason for each."""

import pytest

from lineage_lab.exercises import CHAPTERS
from lineage_site.drawing.chapter import quiz
from lineage_site.drawing.quiz import Choice, Question, questions

RIGHT, WRONG = Choice("a", "because", right=True), Choice("b", "because not")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_five_questions(chapter: str) -> None:
    assert len(questions(chapter)) == 5
    html = quiz(chapter)
    assert html.count("<details") == sum(len(q.choices) for q in questions(chapter))
    assert html.count("Right.") == 5
    assert "\n\n" not in html


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_right_answer_does_not_always_stand_in_the_same_place(chapter: str) -> None:
    places = [[c.right for c in q.choices].index(True) for q in questions(chapter)]
    assert len(set(places)) > 1


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ((RIGHT, WRONG), "needs three or four different answers"),
        ((RIGHT, WRONG, WRONG), "needs three or four different answers"),
        ((WRONG, Choice("c", "why"), Choice("d", "why")), "needs exactly one right answer"),
        ((RIGHT, WRONG, Choice("c", "why", right=True)), "needs exactly one right answer"),
        ((RIGHT, WRONG, Choice("c", "")), "each answer says why it is right or wrong"),
    ],
)
def test_a_question_that_is_no_question_is_refused(choices: tuple[Choice, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Question("?", choices)


def test_an_unknown_chapter() -> None:
    with pytest.raises(KeyError, match="lenet6"):
        questions("lenet6")
