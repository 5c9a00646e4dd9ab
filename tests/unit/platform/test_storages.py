import gzip
import socket
import threading
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from responses.matchers import query_param_matcher
from tiny_server import tiny_server

from actorline.platform.client import Platform
from actorline.platform.datasets import ItemsReader, count_items, get_dataset, open_items
from actorline.platform.errors import InvalidRequest, PlatformUnavailable
from actorline.platform.key_value_stores import list_keys, open_record
from actorline.platform.users import get_limits, get_me

API = "https://api.example.test/v2"


def test_a_dataset_is_read_without_its_secrets(platform, api):
    api.get(
        f"{API}/datasets/me~rows",
        json={
            "data": {
                "id": "d1",
                "itemCount": 7,
                "stats": {"storageBytes": 123},
                "urlSigningSecretKey": "s3cret",
            }
        },
    )

    dataset = get_dataset(platform, "me/rows")

    assert (dataset.id, dataset.item_count, dataset.stats.storage_bytes) == ("d1", 7, 123)
    assert "s3cret" not in repr(dataset)


def test_a_window_of_items_tells_what_was_scanned(platform, api):
    api.get(
        f"{API}/datasets/d1/items",
        body=b'{"a":1}\n',
        content_type="application/x-ndjson; charset=utf-8",
        headers={
            "X-Apify-Pagination-Count": "5",
            "X-Apify-Pagination-Total": "12",
            "X-Apify-Pagination-Offset": "10",
            "X-Apify-Pagination-Limit": "5",
        },
    )

    with open_items(platform, "d1", offset=10, limit=5, params={"format": "jsonl", "clean": "true"}) as page:
        assert (page.scanned, page.total, page.offset, page.limit, page.is_gzip) == (5, 12, 10, 5, False)
        assert page.content_type == "application/x-ndjson; charset=utf-8"
        assert b"".join(page.blocks(4)) == b'{"a":1}\n'

    sent = api.calls[0].request
    assert urlsplit(sent.url).query == "format=jsonl&clean=true&offset=10&limit=5"
    assert sent.headers["Accept-Encoding"] == "gzip"


def test_another_windows_response_is_refused(platform, api):
    api.get(f"{API}/datasets/d1/items", body=b"", headers={"X-Apify-Pagination-Offset": "0"})
    with pytest.raises(PlatformUnavailable, match="begins with item 0 instead of 1,000"):
        open_items(platform, "d1", offset=1000, limit=10, params={})


@pytest.mark.parametrize("value", ["many", "-1", "1.0", "5, 6", "1,000", "9" * 5000, "\u0662"])
def test_a_count_that_is_no_number_is_not_known(platform, api, value):
    api.get(f"{API}/datasets/d1/items", body=b"", headers={"X-Apify-Pagination-Count": value})
    with open_items(platform, "d1", offset=0, limit=1, params={}) as page:
        assert page.scanned is None


@pytest.mark.parametrize("value", ["5", "5 \t", "5, 5", "5,5 , 5"])
def test_a_count_that_a_proxy_has_doubled_is_the_same(platform, api, value):
    api.get(f"{API}/datasets/d1/items", body=b"", headers={"X-Apify-Pagination-Count": value})
    with open_items(platform, "d1", offset=0, limit=9, params={}) as page:
        assert page.scanned == 5


def test_items_of_a_window_are_counted(platform, api):
    url = f"{API}/datasets/d1/items"
    api.head(url, headers={"X-Apify-Pagination-Count": "7"})
    api.head(url, status=405)
    assert [count_items(platform, "d1", offset=5, limit=9, params={"clean": "true"}) for _ in range(2)] == [7, None]
    assert urlsplit(api.calls[0].request.url).query == "clean=true&offset=5&limit=9"
    assert count_items(platform, "", offset=5, limit=9, params={}) is None, "of a dataset that isn't known yet"


def test_table_without_columns_is_read_as_lines(platform, api):
    url = f"{API}/datasets/d1/items"
    api.get(url, status=400, json={"error": {"type": "no-columns-in-exported-dataset", "message": "It has none"}})
    api.get(url, body=b"", headers={"X-Apify-Pagination-Count": "5"})
    api.get(url, status=400, json={"error": {"type": "invalid-value", "message": "No"}})
    reader = ItemsReader(platform, "d1", {"format": "csv", "clean": "true", "bom": "false"})
    with reader.open(3, 9) as page:
        assert (page.scanned, page.lacks_columns, reader.has_columns) == (5, True, False)
    assert urlsplit(api.calls[1].request.url).query == "format=jsonl&clean=true&offset=3&limit=9"
    with pytest.raises(InvalidRequest):
        reader.open(3, 9)


def test_without_a_limit_none_is_sent_nor_headers_expected(platform, api):
    api.get(f"{API}/datasets/d1/items", body=b"", headers={"X-Apify-Pagination-Count": "many", "Content-Encoding": ""})

    with open_items(platform, "d1", offset=0, limit=None, params={}) as page:
        assert (page.scanned, page.total, page.offset, page.limit) == (None, None, None, None)

    assert urlsplit(api.calls[0].request.url).query == "offset=0"


def test_a_slow_kind_of_response_may_be_silent_for_longer(platform, api):
    api.get(f"{API}/datasets/d1/items", body=b"")

    for silence_s in (None, 360):
        open_items(platform, "d1", offset=0, limit=None, params={}, silence_s=silence_s).close()

    assert [call.request.req_kwargs["timeout"] for call in api.calls] == [(10, 30), (10, 360)]


def test_a_body_may_be_silent_in_the_middle_for_as_long():
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/jsonl\r\nContent-Length: 8\r\n\r\n"

    def pause(connection: socket.socket) -> None:
        connection.sendall(head + b'{"a"')
        has_left.wait(0.5)
        connection.sendall(b":1}\n")

    has_left = threading.Event()
    with tiny_server(lambda _: pause) as server:
        platform = Platform(server.url, SecretStr("apify_api_hush"), read_timeout_s=0.1)
        with open_items(platform, "d1", offset=0, limit=9, params={}, silence_s=60) as page:
            assert b"".join(page.blocks(99)) == b'{"a":1}\n'
        with open_items(platform, "d1", offset=0, limit=9, params={}) as page:
            with pytest.raises(PlatformUnavailable, match="broke off"):
                list(page.blocks(99))
            has_left.set()
        platform.close()


def test_an_encoding_nobody_asked_for_is_not_taken_for_the_rows(platform, api):
    api.get(f"{API}/datasets/d1/items", body=b"?", headers={"Content-Encoding": "br"})

    with pytest.raises(PlatformUnavailable, match="Content-Encoding that was not requested: br"):
        open_items(platform, "d1", offset=0, limit=None, params={})


def test_a_record_is_asked_for_as_it_is_under_its_encoded_key(platform, api):
    api.get(f"{API}/key-value-stores/s1/records/a!b'(c)%20%C3%BC", body=b"<p>", content_type="text/html")

    with open_record(platform, "s1", "a!b'(c) ü") as record:
        assert (record.content_type, b"".join(record.blocks(10))) == ("text/html", b"<p>")

    assert urlsplit(api.calls[0].request.url).query == "attachment=true"


TEXT = b'{"summary": "' + bytes(range(32, 127)) * 40 + b'"}'
MEMBERS = gzip.compress(TEXT[:999]) + gzip.compress(TEXT[999:])


def test_gzip_by_its_old_name_is_gzip(platform, api):
    wire = gzip.compress(b'{"data": 7}')
    api.get(f"{API}/x", body=wire, headers={"Content-Encoding": "x-gzip"})
    assert platform.get_data("x") == 7


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
@pytest.mark.parametrize("wire", [gzip.compress(TEXT), MEMBERS, MEMBERS + b"\0\0\0\0", MEMBERS + b"more"])
@pytest.mark.parametrize("size", [7, 100_000])
def test_a_record_in_gzip_is_read_to_its_end(platform, api, encoding, wire, size):
    api.get(f"{API}/key-value-stores/s1/records/k", body=wire, headers={"Content-Encoding": encoding})
    with open_record(platform, "s1", "k") as record:
        assert b"".join(record.blocks(size)) == TEXT


def test_an_empty_record_in_gzip_is_empty(platform, api):
    for wire in (b"", gzip.compress(b"")):
        api.get(f"{API}/key-value-stores/s1/records/k", body=wire, headers={"Content-Encoding": "gzip"})
        with open_record(platform, "s1", "k") as record:
            assert list(record.blocks(100)) == [], wire


@pytest.mark.parametrize("cut", [5, 12, 60, -9, -8, -1])
@pytest.mark.parametrize("wire", [gzip.compress(TEXT), gzip.compress(b"first member") + gzip.compress(TEXT)])
def test_a_record_whose_gzip_is_cut_is_not_taken_for_whole(platform, api, wire, cut):
    api.get(f"{API}/key-value-stores/s1/records/k", body=wire[:cut], headers={"Content-Encoding": "gzip"})
    with open_record(platform, "s1", "k") as record, pytest.raises(PlatformUnavailable, match="broke off"):
        list(record.blocks(50))


def test_a_record_whose_gzip_is_damaged_is_refused(platform, api):
    wire = bytearray(gzip.compress(TEXT))
    wire[-6] ^= 1
    api.get(f"{API}/key-value-stores/s1/records/k", body=bytes(wire), headers={"Content-Encoding": "gzip"})
    with open_record(platform, "s1", "k") as record, pytest.raises(PlatformUnavailable, match="broke off"):
        list(record.blocks(50))


def test_a_key_that_would_leave_the_path_is_refused(platform):
    with pytest.raises(InvalidRequest):
        open_record(platform, "s1", "..")


def test_keys_are_listed_by_the_next_key_while_truncated(platform, api):
    url = f"{API}/key-value-stores/s1/keys"
    first = {
        "items": [{"key": "a", "size": 1}, {"key": "b", "size": 2}],
        "isTruncated": True,
        "nextExclusiveStartKey": "b/",
    }
    api.get(url, json={"data": first})
    api.get(url, json={"data": {"items": [], "isTruncated": True, "nextExclusiveStartKey": "c"}})
    api.get(
        url, json={"data": {"items": [{"key": "d", "size": 3}], "isTruncated": False, "nextExclusiveStartKey": None}}
    )

    keys = [(record.key, record.size) for record in list_keys(platform, "s1", prefix="p")]

    assert keys == [("a", 1), ("b", 2), ("d", 3)]
    assert [urlsplit(call.request.url).query for call in api.calls] == [
        "limit=1000&prefix=p",
        "limit=1000&prefix=p&exclusiveStartKey=b%2F",
        "limit=1000&prefix=p&exclusiveStartKey=c",
    ]


@pytest.mark.parametrize("next_key", [None, "b"])
def test_a_list_of_keys_without_a_next_page_is_not_complete(platform, api, next_key):
    page = {"items": [], "isTruncated": True, "nextExclusiveStartKey": next_key}
    api.get(f"{API}/key-value-stores/s1/keys", json={"data": page})

    with pytest.raises(PlatformUnavailable, match="not where"):
        list(list_keys(platform, "s1"))


A, B = {"key": "a", "size": 1}, {"key": "b", "size": 2}


@pytest.mark.parametrize(
    ("first", "second_is_asked_behind"),
    [
        ({"items": [A], "isTruncated": True}, "a"),
        ({"items": [A], "isTruncated": True, "nextExclusiveStartKey": None}, "a"),
        ({"items": [A], "nextExclusiveStartKey": "a/"}, "a/"),
        ({"items": [A], "isTruncated": None, "nextExclusiveStartKey": "a/"}, "a/"),
        ({"items": [A] * 1000}, "a"),
        ({"items": [A]}, None),
        ({"items": [A], "isTruncated": None, "nextExclusiveStartKey": None}, None),
        ({"items": [A], "isTruncated": False, "nextExclusiveStartKey": "a"}, None),
    ],
)
def test_keys_go_on_where_a_page_says_less_than_it_should(platform, api, first, second_is_asked_behind):
    url = f"{API}/key-value-stores/s1/keys"
    api.get(url, json={"data": first})
    if second_is_asked_behind:
        asked = {"limit": "1000", "exclusiveStartKey": second_is_asked_behind}
        api.get(url, json={"data": {"items": [B], "isTruncated": False}}, match=[query_param_matcher(asked)])

    keys = {record.key for record in list_keys(platform, "s1")}

    assert keys == ({"a", "b"} if second_is_asked_behind else {"a"})


@pytest.mark.parametrize("items", [None, {}, "a", [A, None], [A, {"size": 3}], [A, {"key": None}]])
def test_a_list_of_keys_that_cannot_be_read_is_no_empty_store(platform, api, items):
    api.get(f"{API}/key-value-stores/s1/keys", json={"data": {"items": items, "isTruncated": False}})
    with pytest.raises(PlatformUnavailable):
        list(list_keys(platform, "s1"))


def test_the_account_is_read_without_its_secrets(platform, api):
    api.get(f"{API}/users/me", json={"data": {"id": "u1", "username": "jane", "proxy": {"password": "s3cret"}}})
    limits = {
        "maxConcurrentActorJobs": 25,
        "maxActorMemoryGbytes": 16,
        "maxMonthlyUsageUsd": 5.0,
    }
    current = {"activeActorJobCount": 3, "actorMemoryGbytes": 1.5, "monthlyUsageUsd": 0.25}
    api.get(f"{API}/users/me/limits", json={"data": {"limits": limits, "current": current, "monthlyUsageCycle": {}}})

    user, account = get_me(platform), get_limits(platform)

    assert (user.id, user.username) == ("u1", "jane")
    assert "s3cret" not in repr(user)
    assert (account.limits.max_concurrent_actor_jobs, account.limits.max_actor_memory_gbytes) == (25, 16.0)
    assert account.limits.max_monthly_usage_usd == 5.0
    assert (account.current.active_actor_job_count, account.current.actor_memory_gbytes) == (3, 1.5)
    assert account.current.monthly_usage_usd == 0.25
