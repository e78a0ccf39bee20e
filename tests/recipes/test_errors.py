import pickle

from recipes.errors import RecipeError


def test_text_is_the_cause_and_then_the_fix():
    assert str(RecipeError("It broke.", "Mend it.")) == "It broke. Mend it."


def test_cause_and_fix_survive_the_way_between_processes():
    copy = pickle.loads(pickle.dumps(RecipeError("It broke.", "Mend it.")))

    assert (copy.cause, copy.fix) == ("It broke.", "Mend it.")
