"""Datasets: their counters, and one window of their items."""

from collections.abc import Mapping
from dataclasses import dataclass

import requests
from pydantic import Field

from actorline.identifiers import DatasetId
from actorline.platform.body import Body
from actorline.platform.client import Platform
from actorline.platform.errors import NO_COLUMNS, InvalidRequest, PlatformError, PlatformUnavailable
from actorline.platform.headers import int_header
from actorline.platform.resource import Resource, safe_id


class DatasetStats(Resource):
    """OpenAPI, components/schemas/DatasetStats."""

    storage_bytes: int | None = None


class Dataset(Resource):
    """OpenAPI, components/schemas/Dataset."""

    id: DatasetId
    item_count: int
    """Lags (`docs/platform-facts.md#counters-lag`): never a reason to stop reading."""
    stats: DatasetStats = Field(default_factory=DatasetStats)


class ItemsPage(Body):
    """One window of a dataset, open for reading, in the format asked for (`docs/platform-facts.md#windows`)."""

    scanned: int | None
    """How many stored items the window covered, also those a filter dropped; 0 is the dataset's end."""
    total: int | None
    """How many items the dataset has, by a counter that lags."""
    offset: int | None
    limit: int | None
    """999999999999 if none was asked for."""
    lacks_columns: bool = False
    """Whether it is JSON lines instead of the table that was asked for: no row of it has a column."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(response)
        self.scanned = int_header(response, "X-Apify-Pagination-Count")
        self.total = int_header(response, "X-Apify-Pagination-Total")
        self.offset = int_header(response, "X-Apify-Pagination-Offset")
        self.limit = int_header(response, "X-Apify-Pagination-Limit")


def get_dataset(platform: Platform, dataset_id: DatasetId) -> Dataset:
    """Return the dataset by id or `user~name`; NotFound also means expired.

    Source: OpenAPI, /v2/datasets/{datasetId}.
    """
    return Dataset.from_platform(platform.get_data(f"datasets/{safe_id(dataset_id)}"))


def open_items(
    platform: Platform,
    dataset_id: DatasetId,
    *,
    offset: int,
    limit: int | None,
    params: Mapping[str, str],
    silence_s: float | None = None,
) -> ItemsPage:
    """Open the window `[offset, offset + limit)` of stored items (`limit` None: to the end) with further `params`.
    `silence_s`: how long the platform may be silent, where that is longer than usual.

    Raises PlatformUnavailable also for another window's response, as a cache may send it. Repeats the request until the
    headers are there, not after: what breaks in the body is for the caller to read again.
    Source: OpenAPI, /v2/datasets/{datasetId}/items.
    """
    window: dict[str, str | int] = {**params, "offset": offset}
    if limit is not None:
        window["limit"] = limit
    path = f"datasets/{safe_id(dataset_id)}/items"
    page = ItemsPage(platform.stream(path, window, silence_s=silence_s))
    if page.offset not in {None, offset}:
        page.close()
        raise PlatformUnavailable(f"The response begins with item {page.offset:,} instead of {offset:,}")
    return page


def count_items(
    platform: Platform, dataset_id: DatasetId, *, offset: int, limit: int, params: Mapping[str, str]
) -> int | None:
    """Return how many items the platform counts in the window `[offset, offset + limit)` with further `params`; None if
    it doesn't say. Raises PlatformUnavailable.

    Source: OpenAPI, /v2/datasets/{datasetId}/items, HEAD.
    """
    try:
        response = platform.head(f"datasets/{safe_id(dataset_id)}/items", {**params, "offset": offset, "limit": limit})
    except PlatformUnavailable:
        raise
    except PlatformError:  # it refuses to
        return None
    return int_header(response, "X-Apify-Pagination-Count")


@dataclass
class ItemsReader:
    """Opens windows of a dataset one after the other, in one thread; another one may cut the one that is being read."""

    platform: Platform
    dataset_id: DatasetId
    params: Mapping[str, str]
    first: ItemsPage | None = None
    """What is read first, if it was opened already."""
    silence_s: float | None = None
    """As in `open_items`."""
    has_columns: bool = False
    """Whether a page came in the format that was asked for."""
    _page: ItemsPage | None = None

    @property
    def lines(self) -> Mapping[str, str]:
        """Return parameters for the same rows as JSON lines, without a byte order mark."""
        return {**{name: value for name, value in self.params.items() if name != "bom"}, "format": "jsonl"}

    def open(self, offset: int, limit: int) -> ItemsPage:
        """Open a window; as JSON lines, which say how many items were scanned, if the platform makes no table of it
        because no row has a column.
        """
        try:
            page, self.first = self.first or self._open(offset, limit, self.params), None
        except InvalidRequest as error:
            if error.type != NO_COLUMNS:
                raise
            page = self.open_lines(offset, limit)
            page.lacks_columns = True
        self.has_columns = self.has_columns or not page.lacks_columns
        self._page = page
        return page

    def open_lines(self, offset: int, limit: int) -> ItemsPage:
        """Open a window as JSON lines, whatever the format of the others."""
        return self._open(offset, limit, self.lines)

    def _open(self, offset: int, limit: int, params: Mapping[str, str]) -> ItemsPage:
        self._page = open_items(
            self.platform, self.dataset_id, offset=offset, limit=limit, params=params, silence_s=self.silence_s
        )
        return self._page

    def count(self, offset: int, limit: int, *, filtered: bool) -> int | None:
        params = self.lines if filtered else {}
        return count_items(self.platform, self.dataset_id, offset=offset, limit=limit, params=params)

    def cut(self) -> None:
        if self._page:
            self._page.cut()
