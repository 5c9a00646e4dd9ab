import pytest

from actorline.stages.start.run_input import is_alike


@pytest.mark.parametrize(
    ("sent", "stored", "alike"),
    [
        (b'{"a":1}', b'{"a":1}', True),
        (b'{"a":1}', b'{"b":[2],"a":1}', True),  # the platform added a default
        (b"{}", b'{"b":2}', True),
        (b'{"a":1}', b'{"a":2}', False),
        (b'{"a":1}', b'{"b":1}', False),
        (b'{"a":{"b":1}}', b'{"a":{"b":1,"c":2}}', False),
        (b"[1]", b"[1]", True),
        (b"[1]", b"[1, 2]", False),
        (b"[1]", b'{"a":1}', False),
        (b'{"a":1}', b"not JSON", False),
        (b'{"a":1}', b"\xff\xfe", False),
    ],
)
def test_an_input_is_ours_if_it_holds_all_that_we_sent(sent, stored, alike):
    assert is_alike(sent, stored) is alike
