import pickle

from recipes.errors import RecipeError, nearest_of


def test_text_is_the_cause_and_then_the_fix():
    assert str(RecipeError("It broke.", "Mend it.")) == "It broke. Mend it."


def test_cause_and_fix_survive_the_way_between_processes():
    copy = pickle.loads(pickle.dumps(RecipeError("It broke.", "Mend it.")))

    assert (copy.cause, copy.fix) == ("It broke.", "Mend it.")


def test_a_misspelt_name_is_answered_with_the_nearest():
    assert nearest_of("quik", ["lecture", "quick"]) == "'quick', the nearest of 'lecture', 'quick'"


def test_a_name_like_no_other_is_answered_with_all():
    assert nearest_of("zzz", ["lecture", "quick"]) == "one of 'lecture', 'quick'"
