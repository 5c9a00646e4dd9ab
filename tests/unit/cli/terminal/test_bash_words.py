import pytest

from actorline.cli.terminal.bash_words import whole_words


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        (["actorline", "show", "nightly", "@"], ["actorline", "show", "nightly@"]),
        (["show", "nightly", "@", "2026-11-23T03", ":", "0"], ["show", "nightly@2026-11-23T03:0"]),
        (["jobs", "--state", "=", "ru"], ["jobs", "--state=ru"]),
        (["run", "--label", "shop", "=", "de", ""], ["run", "--label", "shop=de", ""]),
        (["show", "a", "@:", ""], ["show", "a@:", ""]),
        (["show", ""], ["show", ""]),
    ],
)
def test_words_that_bash_has_cut_are_whole_again(cut, whole):
    assert whole_words(cut) == whole
