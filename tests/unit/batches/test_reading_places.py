from contextlib import ExitStack

import pytest

from actorline.batches.inputs.reading_places import ReadingPlaces


@pytest.mark.parametrize(("in_all", "of_one"), [(1, 1), (2, 1), (4, 2), (5, 2)])
def test_one_account_gets_half_of_the_places(in_all, of_one):
    places = ReadingPlaces(in_all)
    with ExitStack() as held:
        got = [held.enter_context(places.held(name)) for name in ("a", "A", "a", "a", "a")]
        assert sum(got) == of_one
        assert sum(held.enter_context(places.held("b")) for _ in range(5)) == min(of_one, in_all - of_one)


def test_place_is_given_back_whatever_happens():
    places = ReadingPlaces(1)
    with pytest.raises(InterruptedError), places.held("a"):
        raise InterruptedError
    with places.held("b") as has_place:
        assert has_place
        with places.held("b") as has_another:
            assert not has_another
