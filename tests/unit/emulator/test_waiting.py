import pytest

from actorline.emulator.routes.runs import clamped_wait


@pytest.mark.parametrize(
    ("asked", "secs"), [(None, 0), (-5, 0), (0, 0), (0.5, 0.5), (60, 60), (300, 60), (999_999, 60)]
)
def test_a_wait_is_clamped_to_sixty_seconds_and_never_refused(asked, secs):
    assert clamped_wait(asked) == secs
