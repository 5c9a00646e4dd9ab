import pytest

from actorline.emulator.errors import ApiError
from actorline.emulator.params import Params

READ = [
    (lambda p: p.integer("x"), "12", 12),
    (lambda p: p.integer("x"), "12.0", 12),
    (lambda p: p.integer("x"), "", None),
    (lambda p: p.number("x"), "1.5", 1.5),
    (lambda p: p.flag("x"), "1", True),
    (lambda p: p.flag("x"), "true", True),
    (lambda p: p.flag("x"), "false", False),
    (lambda p: p.flag("x"), "", False),
    (lambda p: p.names("x"), "a, b,,c", ("a", "b", "c")),
    (lambda p: p.choice("x", ["a", "b"]), "b", "b"),
    (lambda p: p.choices("x", ["a", "b"]), "b,a", ("b", "a")),
    (lambda p: p.time("x"), "2023-11-14T22:13:20.500Z", 1_700_000_000.5),
    (lambda p: p.time("x"), "2023-11-14T22:13:20", 1_700_000_000),
]
REFUSED = [
    (lambda p: p.integer("x"), "1.5"),
    (lambda p: p.integer("x"), "-1"),
    (lambda p: p.integer("x", minimum=1), "0"),
    (lambda p: p.number("x"), "many"),
    (lambda p: p.number("x"), "nan"),
    (lambda p: p.number("x"), "inf"),
    (lambda p: p.flag("x"), "yes"),
    (lambda p: p.choice("x", ["a"]), "b"),
    (lambda p: p.choices("x", ["a"]), "a,b"),
    (lambda p: p.time("x"), "yesterday"),
]


@pytest.mark.parametrize(("read", "text", "value"), READ)
def test_parameters_are_read(read, text, value):
    assert read(Params({"x": text})) == value


@pytest.mark.parametrize(("read", "text"), REFUSED)
def test_unreadable_parameters_are_invalid_values(read, text):
    with pytest.raises(ApiError) as refusal:
        read(Params({"x": text}))
    assert (refusal.value.status, refusal.value.type) == (400, "invalid-value")
    assert '"x"' in refusal.value.message
