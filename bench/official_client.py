"""Reads a dataset with Apify's official client, as JSON objects that are counted and dropped.

`official_client.py sequential|threads URL DATASET COUNT`: `iterate_items`, or 16 threads of `list_items`.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from apify_client import ApifyClient
from stand import TOKEN

THREADS = 16
PAGE_ITEMS = 1_000  # the client's own page in iterate_items


def sequential(client: ApifyClient, dataset: str, count: int) -> int:
    return sum(1 for _ in client.dataset(dataset).iterate_items(limit=count))


def threads(client: ApifyClient, dataset: str, count: int) -> int:
    def page(offset: int) -> int:
        return len(client.dataset(dataset).list_items(offset=offset, limit=PAGE_ITEMS).items)

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(page, range(0, count, PAGE_ITEMS)))


WAYS: dict[str, Callable[[ApifyClient, str, int], int]] = {"sequential": sequential, "threads": threads}

if __name__ == "__main__":
    way, url, dataset, count = sys.argv[1:]
    read = WAYS[way](ApifyClient(TOKEN, api_url=url), dataset, int(count))
    sys.exit(read != int(count))
