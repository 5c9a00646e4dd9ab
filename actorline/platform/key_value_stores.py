"""Key-value stores: their keys, and one record (fact sheet, section 7)."""

from collections.abc import Iterator
from typing import ClassVar, Final

from pydantic import Field

from actorline.platform.body import Body
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformUnavailable
from actorline.platform.resource import Resource, path_segment, safe_id

KEYS_LIMIT: Final = 1000


class RecordKey(Resource):
    """OpenAPI, components/schemas/KeyValueStoreKey."""

    key: str
    size: int | None = None
    """Bytes as stored."""


class KeysPage(Resource):
    """OpenAPI, components/schemas/ListOfKeys."""

    items: list[RecordKey] = Field(default_factory=list)
    is_truncated: bool
    next_exclusive_start_key: str | None = None


class Record(Body):
    """One record, open for reading: the content the user stored, without the encoding it travels in."""

    ENCODINGS: ClassVar[frozenset[str]] = frozenset({"gzip", "x-gzip", "deflate", "identity"})

    @property
    def size(self) -> int | None:
        """Bytes of the content; None if the server didn't say, or said only how long the encoded form is."""
        return None if self.is_encoded else self.content_length

    def blocks(self, size: int) -> Iterator[bytes]:
        """The content in blocks of about `size` bytes."""
        return self.decoded_blocks(size)


def open_record(platform: Platform, store_id: str, record_key: str) -> Record:
    """Opens a record; raises NotFound if there is none.

    The API may redirect to a storage, which doesn't get the token. Without `attachment` it may alter HTML.
    Source: OpenAPI, /v2/key-value-stores/{storeId}/records/{recordKey}.
    """
    path = f"key-value-stores/{safe_id(store_id)}/records/{path_segment(record_key)}"
    return Record(platform.stream(path, {"attachment": "true"}))


def list_keys(platform: Platform, store_id: str, *, prefix: str | None = None) -> Iterator[RecordKey]:
    """All keys of a store in UTF-8 binary order, those that begin with `prefix` if given.

    Source: OpenAPI, /v2/key-value-stores/{storeId}/keys.
    """
    params: dict[str, str | int] = {"limit": KEYS_LIMIT}
    if prefix is not None:
        params["prefix"] = prefix
    while True:
        page = KeysPage.from_platform(platform.get_data(f"key-value-stores/{safe_id(store_id)}/keys", params))
        yield from page.items
        if not page.is_truncated:
            return
        if page.next_exclusive_start_key in {None, params.get("exclusiveStartKey")}:
            raise PlatformUnavailable("The list of keys says that it goes on, but not where")
        params["exclusiveStartKey"] = str(page.next_exclusive_start_key)
