"""How often in a row a worker didn't reply."""

from workers.ping import count_failures


def test_failures_count_until_a_reply(tmp_path):
    file = tmp_path / "failures"
    assert [count_failures(file, failed=True) for _ in range(3)] == [1, 2, 3]
    assert count_failures(file, failed=False) == 0
    assert count_failures(file, failed=True) == 1
