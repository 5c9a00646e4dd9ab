"""The shape of items: which fields they have and what kinds of values, gathered from every item of a dataset.

Shapes of pages are put together into that of the whole. Pure: no I/O.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal, Self

import orjson

COLUMNS_MAX: Final = 2000  # as in the platform's own tables (OpenAPI, /v2/datasets/{datasetId}/items)
FIELDS_MAX: Final = 200  # an object with more is a map with names for keys: its shape would grow without end
SHAPE_DEPTH_MAX: Final = 12
FORMS_MAX: Final = 500  # forms of objects that are remembered; items have a handful, and are seen at a glance then

Kind = Literal["bool", "int", "float", "str", "object", "array", "unbounded"]
VALUE_KINDS: Final[dict[type, Kind]] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    dict: "object",
    list: "array",
}
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1


class NotATable(Exception):
    """The items can't be the rows of a table; the message says why."""


class Shape:
    """What the values of one place look like; null leaves no trace.

    `fields`: of the objects, in the order in which they first came. `element`: of the arrays' elements. Both are
    given up where the kind is `unbounded`: too deep, or too many fields. `depth` 0: an item.
    """

    __slots__ = ("_forms", "depth", "element", "fields", "kinds")

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.kinds: set[Kind] = set()
        self.fields: dict[str, Shape] = {}
        self.element: Shape | None = None
        self._forms: dict[tuple[Any, ...], list[tuple[str, Shape]]] = {}

    def observe(self, value: Any) -> None:
        """Take one more value into account. Raises NotATable for an item."""
        kind = type(value)
        if kind is dict:
            self._observe_object(value)
        elif kind is list:
            self._observe_array(value)
        elif kind is orjson.Fragment:  # an array or object that is too deep to be read
            self.kinds.add("unbounded")
            self._bound()
        elif kind is int and not INT64_MIN <= value <= INT64_MAX:
            self.kinds.add("float")  # as in JavaScript, which wrote it
        elif value is not None:
            self.kinds.add(VALUE_KINDS[kind])

    def merge(self, other: Self) -> None:
        """Take everything into account that `other` did. Raises NotATable for items."""
        self.kinds |= other.kinds
        for name, shape in other.fields.items():
            self._field(name).merge(shape)
        if other.element is not None:
            self._element().merge(other.element)
        self._bound()

    def dump(self) -> dict[str, Any]:
        """Return the shapes as JSON."""
        return {
            "kinds": sorted(self.kinds),
            "fields": {name: shape.dump() for name, shape in self.fields.items()},
            "element": self.element.dump() if self.element else None,
        }

    @classmethod
    def load(cls, dumped: dict[str, Any], depth: int = 0) -> Self:
        shape = cls(depth)
        shape.kinds = set(dumped["kinds"])
        shape.fields = {name: cls.load(one, depth + 1) for name, one in dumped["fields"].items()}
        shape.element = cls.load(dumped["element"], depth + 1) if dumped["element"] else None
        return shape

    def _observe_object(self, value: dict[str, Any]) -> None:
        """Observe an object. One of a known form can add something only by its inner values and integers."""
        form = (*value, *map(type, value.values()))
        inner = self._forms.get(form)
        if inner is None:
            self.kinds.add("object")
            self._bound()
            if "unbounded" in self.kinds:
                return
            for name, one in value.items():
                self._field(name).observe(one)
            self._bound()
            if len(self._forms) < FORMS_MAX and "unbounded" not in self.kinds:
                self._forms[form] = [(name, self.fields[name]) for name in value if type(value[name]) in _OPEN]
            return
        for name, shape in inner:
            shape.observe(value[name])

    def _observe_array(self, value: list[Any]) -> None:
        self.kinds.add("array")
        self._bound()
        if "unbounded" in self.kinds:
            return
        element = self._element()
        for one in value:
            element.observe(one)
        self._bound()

    def _field(self, name: str) -> "Shape":
        shape = self.fields.get(name)
        if shape is None:
            shape = self.fields[name] = Shape(self.depth + 1)
        return shape

    def _element(self) -> "Shape":
        if self.element is None:
            self.element = Shape(self.depth + 1)
        return self.element

    def _bound(self) -> None:
        """Give up what is too deep, before it is looked into, or has too many fields."""
        if self.depth == 0:
            if len(self.fields) > COLUMNS_MAX:
                raise NotATable(f"the items have more than {COLUMNS_MAX:,} different fields")
        elif "unbounded" in self.kinds or self.depth >= SHAPE_DEPTH_MAX or len(self.fields) > FIELDS_MAX:
            self.kinds.add("unbounded")
            self.fields, self.element, self._forms = {}, None, {}


_OPEN: Final = frozenset({dict, list, int})


def shape_of(items: Iterable[Any]) -> Shape:
    """Return the shape of objects, each of which is an item."""
    shape = Shape()
    for item in items:
        shape.observe(item)
    return shape
