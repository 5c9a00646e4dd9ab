"""Key-value stores: their keys, and one record (`docs/platform-facts.md#key-value-stores`)."""

from collections.abc import Iterator
from typing import ClassVar, Final

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

    items: list[RecordKey]
    """Needed: a list that can't be read isn't an empty store."""
    is_truncated: bool | None = None
    next_exclusive_start_key: str | None = None

    @property
    def next_key(self) -> str | None:
        """Return the key behind which more may follow; None: these were the last.

        Where a page that is truncated, or as long as pages may be, doesn't say where they are, they are behind its last
        key: keys come in order.
        """
        if self.is_truncated is False:
            return None
        may_have_more = self.is_truncated or len(self.items) >= KEYS_LIMIT
        last_key = self.items[-1].key if may_have_more and self.items else None
        return self.next_exclusive_start_key or last_key


class Record(Body):
    """One record, open for reading: the content the user stored, without the encoding it travels in."""

    ENCODINGS: ClassVar[frozenset[str]] = frozenset({"gzip", "x-gzip", "deflate", "identity"})

    @property
    def size(self) -> int | None:
        """Return the bytes of the content; None if the server didn't say, or said only how long the encoded form is."""
        return None if self.is_encoded else self.content_length

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the content in blocks of about `size` bytes."""
        return self.decoded_blocks(size)


def open_record(platform: Platform, store_id: str, record_key: str) -> Record:
    """Open a record; raises NotFound if there is none.

    The API may redirect to a storage, which doesn't get the token. Without `attachment` it may alter HTML.
    Source: OpenAPI, /v2/key-value-stores/{storeId}/records/{recordKey}.
    """
    path = f"key-value-stores/{safe_id(store_id)}/records/{path_segment(record_key)}"
    headers = {"Accept-Encoding": "gzip, deflate"}
    return Record(platform.stream(path, {"attachment": "true"}, headers=headers))


def list_keys(platform: Platform, store_id: str, *, prefix: str | None = None) -> Iterator[RecordKey]:
    """Yield all keys of a store in UTF-8 binary order, those that begin with `prefix` if given."""
    page = get_keys(platform, store_id, prefix=prefix)
    yield from page.items
    while page.next_key:
        page = get_keys(platform, store_id, prefix=prefix, after=page.next_key)
        yield from page.items


def get_keys(platform: Platform, store_id: str, *, prefix: str | None = None, after: str | None = None) -> KeysPage:
    """Return the next keys of a store behind the key `after`. Raises PlatformUnavailable also if more follow, and the
    page doesn't say where.

    Source: OpenAPI, /v2/key-value-stores/{storeId}/keys.
    """
    asked = {"limit": KEYS_LIMIT, "prefix": prefix, "exclusiveStartKey": after}
    params: dict[str, str | int] = {name: value for name, value in asked.items() if value is not None}
    page = KeysPage.from_platform(platform.get_data(f"key-value-stores/{safe_id(store_id)}/keys", params))
    if (page.is_truncated and not page.next_key) or (page.next_key and page.next_key == after):
        raise PlatformUnavailable("The list of keys says that more follows, but not where")
    return page
