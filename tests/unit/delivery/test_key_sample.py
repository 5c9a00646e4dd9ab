"""Keys compared across pages: exact at first, then in a sample of the keys."""

from hypothesis import given
from hypothesis import strategies as st

from actorline.delivery.key_sample import ALL, SAMPLE_ROWS, KeySample, compare_keys
from actorline.delivery.row_counter import key_hash

KEYS = st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=6)


@given(KEYS)
def test_duplicates_are_exact_in_the_first_rows(pages: list[list[int]]) -> None:
    before, samples = 0, []
    for page in pages:
        keys = [(key_hash([key]), row) for row, key in enumerate(page)]
        samples.append((before, KeySample.read(KeySample.of(keys, end=before + len(page)).text())))
        before += len(page)
    flat = [key for page in pages for key in page]
    repeats = [number for number, key in enumerate(flat, 1) if key in flat[: number - 1]]
    seen = compare_keys(samples)
    assert (seen.keyed, seen.keys) == (len(flat), len(set(flat)))
    assert (seen.duplicates.count, seen.duplicates.first) == (len(repeats), tuple(repeats[:10]))


def test_sample_of_many_rows_is_bounded_and_nearly_right() -> None:
    rows, page, kinds = 400_000, 20_000, 300_000  # a quarter repeats a key
    samples = []
    for start in range(0, rows, page):
        keys = [(key_hash([row % kinds]), row - start) for row in range(start, start + page)]
        samples.append((start, KeySample.of(keys, end=start + page)))
    assert sum(len(list(sample.pairs)) for _, sample in samples) < 3 * SAMPLE_ROWS
    seen = compare_keys(samples)
    assert abs(seen.duplicates.count / seen.keyed - 0.25) < 0.01
    assert abs(seen.keys / kinds - 1) < 0.02


def test_page_that_is_read_again_leaves_the_same_sample() -> None:
    keys = [(key_hash([row]), row) for row in range(1_000)]
    once, again = (KeySample.of(keys, end=10 * SAMPLE_ROWS) for _ in range(2))
    assert once == again == KeySample.read(once.text())
    assert once.limit == ALL // 10
    assert 50 < len(list(once.pairs)) < 150
