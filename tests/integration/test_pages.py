"""The gateway's pages over plain HTTP: who may see and do what, and nothing hostile in them."""

import gzip
import json
import re
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from html import unescape
from html.parser import HTMLParser

import httpx
import pytest
from gateway_process import Gateway, running_gateway
from real_parts import make_line, running_line, wait_for
from terminal import running_valkey

from actorline.api_keys import create_key, revoke_key
from actorline.batches.batch import load_batch
from actorline.gateway.app import MOST_PAGES_OF_ONE
from actorline.gateway.pages.cookie import COOKIE
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import State
from actorline.ledger import sessions
from actorline.ledger.admission.schedule_pauses import paused_schedules
from actorline.ledger.audit import read_audit
from actorline.ledger.change import Change
from actorline.ledger.sessions import Sessions, SignIn
from actorline.secret_digest import digest

OWN = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e{{7*7}}"


@pytest.fixture(scope="module")
def gateway(valkey, emulator, tmp_path_factory):
    """A gateway that needs no key: on a line of its own, for the first key closes it for good."""
    folder = tmp_path_factory.mktemp("pages")
    with running_line(valkey, emulator, folder, "pages") as line, running_gateway(line) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def closed(valkey, emulator, tmp_path_factory):
    """A gateway without workers, and a function that makes keys and signs in with them."""
    line = make_line(valkey, emulator, tmp_path_factory.mktemp("closed"), "pages-closed")
    create_key(line.ledger, "first", Rights(), FROM_TERMINAL)
    with running_gateway(line) as gateway:

        def sign_in(name: str, **rights) -> httpx.Client:
            secret = create_key(line.ledger, f"{name}-{len(browsers)}", Rights(**rights), FROM_TERMINAL)
            browser = httpx.Client(base_url=gateway.url, headers=OWN, timeout=60)
            response = browser.post("/sign-in", data={"key": secret, "next": "/"})
            assert (response.status_code, response.headers["Location"]) == (303, "/")
            browser.secret, browser.name = secret, f"{name}-{len(browsers)}"
            browsers.append(browser)
            return browser

        browsers: list[httpx.Client] = []
        yield gateway, sign_in
        for browser in browsers:
            browser.close()
    line.client.close()


def order(gateway: Gateway, browser: httpx.Client, key: str, **document) -> None:
    headers = {"Authorization": f"Bearer {browser.secret}", "Idempotency-Key": key}
    response = httpx.post(
        f"{gateway.url}/v1/jobs", json={"actor": "demo/none", **document}, headers=headers, timeout=60
    )
    assert response.status_code == 202, response.text


def token_in(response: httpx.Response) -> str:
    return re.search(r'name="token" value="([0-9a-f]+)"', response.text)[1]


class Tags(HTMLParser):
    """What a browser makes of a page: its elements, and what a script or style could run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.risks: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style" or (value or "").strip().lower().startswith("javascript:"):
                self.risks.append(f"{tag} {name}={value}")
        if tag == "script" and not dict(attrs).get("src", "").startswith("/static/"):
            self.risks.append("script")


# -- signing in


def test_without_a_session_every_page_leads_to_the_sign_in(closed):
    gateway, _ = closed
    for path in ("/", "/?state=FAILED", "/jobs/some", "/live"):
        response = httpx.get(gateway.url + path, timeout=60)
        assert (response.status_code in {303, 401}) is True
        if path != "/live":
            assert response.headers["Location"].startswith("/sign-in?next=")
    assert httpx.get(f"{gateway.url}/sign-in", timeout=60).status_code == 200


def test_the_cookie_is_closed_to_scripts_other_sites_and_http(closed):
    gateway, sign_in = closed
    secret = sign_in("plain").secret
    for origin, is_secure in (("https://jobs.example.com", True), (gateway.url, False)):
        headers = {**OWN, "Origin": origin}
        response = httpx.post(f"{gateway.url}/sign-in", data={"key": secret}, headers=headers, timeout=60)
        cookie = response.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert ("Secure" in cookie.split("; ")) is is_secure
        assert secret not in cookie


def test_a_wrong_key_is_refused_and_counted(closed):
    gateway, sign_in = closed
    sign_in("right")
    response = httpx.post(f"{gateway.url}/sign-in", data={"key": "actorline_right_guess"}, headers=OWN, timeout=60)
    assert (response.status_code, "Set-Cookie" in response.headers) == (401, False)
    wait_for(lambda: gateway.logged("authentication-refused"), what="the refusal in the log")


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/jobs/any/cancel", 0, b"303"),
        ("/bulk", 0, b"303"),
        ("/schedules/any/run", 0, b"303"),
        ("/sign-in", 20_000, b"413"),
    ],
)
def test_an_unknown_sender_is_answered_before_its_form_is_read(closed, path, sent, status):
    """Otherwise anybody could fill the gateway's memory, a megabyte a connection."""
    gateway, _ = closed
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", httpx.URL(gateway.url).port), timeout=60) as connection:
        connection.sendall(head.encode() + b"x" * sent)
        assert connection.recv(100).split()[1] == status


def test_signing_out_ends_the_session_for_every_copy(closed):
    _, sign_in = closed
    browser = sign_in("leaver")
    copied = dict(browser.cookies)
    assert browser.get("/").status_code == 200
    assert browser.post("/sign-out", data={"token": token_in(browser.get("/"))}).status_code == 303
    assert httpx.get(f"{browser.base_url}/", cookies=copied, timeout=60).status_code == 303


def test_a_revoked_key_ends_its_sessions(closed):
    gateway, sign_in = closed
    browser = sign_in("revoked")
    assert browser.get("/").status_code == 200
    revoke_key(gateway.line.ledger, browser.name, FROM_TERMINAL)
    wait_for(lambda: browser.get("/").status_code == 303, what="the end of the session")


def test_a_key_that_signs_in_too_often_ends_its_oldest_sessions(closed, monkeypatch):
    gateway, sign_in = closed
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 3)
    browser = sign_in("often")
    found = SignIn(name=browser.name, sha256=digest(browser.secret))
    cookies = [Sessions(gateway.line.ledger).open(found) for _ in range(4)]
    codes = [httpx.get(gateway.url, cookies={COOKIE: cookie}, timeout=60).status_code for cookie in cookies]
    assert (browser.get("/").status_code, codes) == (303, [303, 200, 200, 200])


def test_the_cookie_opens_no_api(closed):
    _, sign_in = closed
    browser = sign_in("cookie-only")
    assert browser.get("/v1/jobs").status_code == 401
    assert browser.post("/v1/jobs/any/cancel").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
def test_forms_of_other_sites_are_refused(closed, headers):
    gateway, sign_in = closed
    browser = sign_in("target", scopes=frozenset({Scope.READ, Scope.SUBMIT, Scope.CANCEL}))
    order(gateway, browser, browser.name)
    path = f"/jobs/{browser.name}/cancel"
    token = token_in(browser.get(path))
    assert browser.post(path, data={"token": "0" * 64}).status_code == 403
    del browser.headers["Sec-Fetch-Site"]
    assert browser.post(path, data={"token": token}, headers=headers).status_code == 403
    assert gateway.line.ledger.load(browser.name).stop_wish is None


def test_next_leads_to_no_other_site(closed):
    gateway, sign_in = closed
    secret = sign_in("careful").secret
    for path in ("https://evil.example", "//evil.example", "/\\evil.example", "\t//evil.example"):
        response = httpx.post(f"{gateway.url}/sign-in", data={"key": secret, "next": path}, headers=OWN, timeout=60)
        assert response.headers["Location"] == "/"


# -- rights


def test_a_key_sees_the_jobs_of_its_accounts_and_no_others(closed):
    gateway, sign_in = closed
    everybody = frozenset({Scope.READ, Scope.SUBMIT, Scope.CANCEL_ANY})
    one = sign_in("one", scopes=everybody, accounts=frozenset({"one"}))
    two = sign_in("two", scopes=everybody, accounts=frozenset({"two"}))
    order(gateway, one, "of-one", account="one")
    order(gateway, two, "of-two", account="two")
    assert '"/jobs/of-one"' in one.get("/").text
    assert re.search(r"Queued</span> <b>1</b>", one.get("/").text)
    for path, status in {"/": 200, "/?text=of-two": 200, "/?account=two": 403, "/jobs/of-two": 404}.items():
        response = one.get(path)
        assert response.status_code == status
        assert '"/jobs/of-two"' not in response.text
    assert one.get("/jobs/of-two/live").status_code == 404
    for path in ("/jobs/of-two/cancel", "/jobs/of-two/retry"):
        assert one.get(path).status_code == 404
        assert one.post(path, data={"token": token_in(one.get("/"))}).status_code == 404
    assert gateway.line.ledger.load("of-two").stop_wish is None


def test_without_the_scope_read_there_is_no_page(closed):
    _, sign_in = closed
    response = sign_in("writer", scopes=frozenset({Scope.SUBMIT})).get("/")
    assert (response.status_code, "lacks the scope read" in response.text) == (403, True)


def test_buttons_are_those_that_the_key_may_use(closed):
    gateway, sign_in = closed
    sender = sign_in("sender", scopes=frozenset({Scope.SUBMIT, Scope.READ, Scope.CANCEL}))
    reader = sign_in("reader", scopes=frozenset({Scope.READ}))
    order(gateway, sender, "theirs")
    assert "/jobs/theirs/cancel" in sender.get("/jobs/theirs").text
    assert "/jobs/theirs/cancel" not in reader.get("/jobs/theirs").text
    assert reader.get("/jobs/theirs/cancel").status_code == 403
    assert reader.post("/jobs/theirs/cancel", data={"token": token_in(reader.get("/"))}).status_code == 403
    assert gateway.line.ledger.load("theirs").stop_wish is None


def order_batch(gateway: Gateway, browser: httpx.Client, key: str, **document) -> None:
    headers = {"Authorization": f"Bearer {browser.secret}"}
    batch = {"key": key, "template": {"actor": "demo/none"}, "inputs": [{}, {}], **document}
    response = httpx.post(f"{gateway.url}/v1/batches", json=batch, headers=headers, timeout=60)
    assert response.status_code == 202, response.text


def test_batches_are_seen_and_changed_with_the_same_rights(closed):
    gateway, sign_in = closed
    scopes = frozenset({Scope.READ, Scope.SUBMIT, Scope.CANCEL})
    sender = sign_in("batcher", scopes=scopes, accounts=frozenset({"one"}))
    other = sign_in("other", scopes=scopes, accounts=frozenset({"two"}))
    reader = sign_in("looker", scopes=frozenset({Scope.READ}))
    order_batch(gateway, sender, "batch-of-one", account="one", labels={"x": HOSTILE})
    assert "/batches/batch-of-one/cancel" in sender.get("/batches/batch-of-one").text
    assert '"/batches/batch-of-one"' in reader.get("/batches").text
    assert "/batches/batch-of-one/cancel" not in reader.get("/batches/batch-of-one").text
    assert '"/batches/batch-of-one"' not in other.get("/batches").text
    for path in ("", "/cancel", "/retry", "/items", "/result", "/manifest", "/live"):
        assert other.get(f"/batches/batch-of-one{path}").status_code == 404, path
    for browser, status in ((other, 404), (reader, 403)):
        form = {"token": token_in(browser.get("/"))}
        for path in ("cancel", "retry"):
            assert browser.post(f"/batches/batch-of-one/{path}", data=form).status_code == status
    assert load_batch(gateway.line.ledger, "batch-of-one").stop_wish is None
    for path in ("/batches", "/batches/batch-of-one"):
        assert Tags(reader.get(path).text).risks == [], path


# -- pages


@pytest.mark.thorough
def test_a_batch_is_followed_from_its_page_to_its_retry(gateway):
    actor = gateway.line.emulator.actor(
        "page-batch", items=3, duration_secs=0.2, final_status="FAILED", status_message="The proxy is gone"
    )
    template = {"actor": actor, "poll_interval_secs": 1, "on_failure": {"deliver_partial": False}}
    batch = {"key": "page-batch", "template": template, "inputs": [{}, {}, {}]}
    gateway.http.post("/v1/batches", json=batch).raise_for_status()
    wait_for(lambda: "3 of 3 ended" in gateway.http.get("/batches/page-batch").text, what="the members' end")
    wait_for(lambda: "/batches/page-batch/retry" in gateway.http.get("/batches/page-batch").text, what="the end")
    assert gateway.http.get("/jobs/page-batch").headers["Location"] == "/batches/page-batch"
    shown = gateway.http.get("/batches/page-batch").text
    failed, whole = shown.split('id="members"')
    for number in range(3):
        link = f'href="/jobs/page-batch.{number:06}"'
        assert link in failed
        assert link in whole
    assert "The proxy is gone" in failed
    assert 'href="/batches/page-batch"' in gateway.http.get("/jobs/page-batch.000000").text
    assert 'href="/jobs/page-batch.' not in gateway.http.get("/batches/page-batch?state=DELIVERED").text
    assert gateway.http.get("/batches/page-batch/result").json()["members"]["FAILED"] == 3
    assert len(json.loads(gateway.http.get("/batches/page-batch/manifest").text)["members"]) == 3
    asked = gateway.http.get("/batches/page-batch/retry")
    assert "3 of its inputs aren't delivered: each runs again" in unescape(asked.text)
    form = {"token": token_in(asked), "request": re.search(r'name="request" value="(\w+)"', asked.text)[1]}
    for _ in range(2):
        assert gateway.http.post("/batches/page-batch/retry", data=form, headers=OWN).status_code == 303
    assert load_batch(gateway.line.ledger, "page-batch").retries == 1
    asked = gateway.http.get("/batches/page-batch/cancel")
    form = {"token": token_in(asked), "request": re.search(r'name="request" value="(\w+)"', asked.text)[1]}
    assert gateway.http.post("/batches/page-batch/cancel", data=form, headers=OWN).status_code == 303


def test_every_page_forbids_scripts_frames_and_other_hosts(gateway):
    for path in ("/", "/jobs/unknown-key", "/sign-in", "/?state=NONE"):
        headers = gateway.http.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Cache-Control"] == "no-store"


def test_a_browser_at_an_unknown_address_gets_a_page(gateway):
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    shown = gateway.http.get("/job/page-one", headers=browser)
    assert (shown.status_code, "No page has this address" in shown.text) == (404, True)
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    for path, headers in (("/job/page-one", {}), ("/v1/job/page-one", browser)):
        refused = gateway.http.get(path, headers=headers)
        assert (refused.status_code, refused.headers["Content-Type"]) == (404, "application/problem+json")
    assert gateway.http.put("/money", headers=browser).headers["Allow"] == "GET"


def test_files_are_kept_by_browsers_and_change_their_url(gateway):
    urls = re.findall(r'"(/static/[^"]+)"', gateway.http.get("/").text)
    assert len(urls) == 3
    for url in urls:
        assert "immutable" in gateway.http.get(url).headers["Cache-Control"]
    assert gateway.http.get("/static/000000000000/style.css").status_code == 404
    assert gateway.http.get("/static/x/..%2f..%2fapp.py").status_code == 404


def test_hostile_labels_and_messages_stay_text(gateway):
    actor = gateway.line.emulator.actor("page-hostile", items=1, final_status="FAILED", status_message=HOSTILE)
    gateway.delivered("page-hostile", actor=actor, labels={"x": HOSTILE})
    for path in (
        "/?text=page-hostile",
        "/jobs/page-hostile",
        "/jobs/page-hostile/retry",
        f"/?text={HOSTILE}",
        f"/?label=x:{HOSTILE}",
    ):
        response = gateway.http.get(path)
        tags = Tags(response.text)
        assert tags.risks == [], path
        assert "img" not in tags.names, path
        assert "49" not in re.findall(r"\}\}(\d\d)", response.text)
    assert "alert(1)" in unescape(gateway.http.get("/jobs/page-hostile").text)


def test_filters_are_in_the_url_and_hold(gateway):
    actor = gateway.line.emulator.actor("page-filter", items=2)
    for number, team in enumerate("aab"):
        gateway.delivered(f"page-filter-{number}", actor=actor, labels={"team": team})
    run_id = gateway.http.get("/v1/jobs/page-filter-1").json()["run_id"]

    def keys(**query: str) -> list[str]:
        return re.findall(r'href="/jobs/(page-filter-\d)"', gateway.http.get("/", params=query).text)

    assert keys(actor=actor) == ["page-filter-2", "page-filter-1", "page-filter-0"]
    assert keys(actor=actor, label="team:b") == ["page-filter-2"]
    assert keys(actor=actor, state="FAILED") == []
    assert keys(text="page-filter-0") == ["page-filter-0"]
    assert keys(text=run_id) == ["page-filter-1"]
    assert keys(text="age-filter-", within="1h") == ["page-filter-2", "page-filter-1", "page-filter-0"]
    assert keys(account="other", actor=actor) == []


@pytest.mark.thorough
def test_pages_of_the_list_follow_one_another(gateway):
    for number in range(60):
        gateway.order(key=f"page-many-{number:02}", dataset_id="none-such", labels={"many": "x"})
    first = gateway.http.get("/", params={"label": "many:x"})
    older = gateway.http.get(unescape(re.search(r'rel="next" href="([^"]+)"', first.text)[1]))
    keys = [re.findall(r'href="/jobs/(page-many-\d\d)"', page.text) for page in (first, older)]
    assert [len(each) for each in keys] == [50, 10]
    assert sorted(keys[0] + keys[1]) == [f"page-many-{number:02}" for number in range(60)]


def test_a_job_tells_its_life_in_words(gateway, faults):
    actor = gateway.line.emulator.actor("page-life", items=2500, usage_usd=0.025)
    gateway.delivered("page-life-before", actor=actor)
    faults({"method": "GET", "action": "delay", "secs": 0.2, "path_regex": "/items$", "times": 100})  # or it is no bar
    gateway.delivered("page-life", actor=actor, collect={"page_items": 1000})
    text = unescape(gateway.http.get("/jobs/page-life").text)
    assert "It is delivered" in text
    assert "3 of 3" in text
    assert "$0.0250" in text
    assert "$0.0100 in the last 2 runs" in text
    for phase in ("Running", "Collecting"):
        assert f'<th scope="row">{phase}' in text


def test_cancel_and_retry_say_first_what_they_cost(gateway):
    actor = gateway.line.emulator.actor("page-change", items=5, duration_secs=600)
    gateway.order(key="page-change", actor=actor, options={"max_total_charge_usd": 3})
    wait_for(lambda: gateway.line.state("page-change") == "RUNNING", what="the run")
    asked = gateway.http.get("/jobs/page-change/cancel")
    assert "is aborted" in asked.text
    gateway.http.post(
        "/jobs/page-change/cancel", data={"token": token_in(asked)}, headers={**OWN, "Origin": gateway.url}
    )
    assert gateway.ended("page-change")["state"] == "CANCELLED"
    asked = gateway.http.get("/jobs/page-change/retry")
    assert "another run is started and billed" in asked.text.lower()
    assert "at most $3.0000" in asked.text
    form = {"token": token_in(asked), "request": re.search(r'name="request" value="(\w+)"', asked.text)[1]}
    assert gateway.http.post("/jobs/page-change/retry", data=form, headers=OWN).status_code == 409
    for _ in range(2):
        assert (
            gateway.http.post("/jobs/page-change/retry", data={**form, "pays": "yes"}, headers=OWN).status_code == 303
        )
    wait_for(lambda: len(gateway.line.emulator.starts(actor)) == 2, what="the second run")
    gateway.http.post("/v1/jobs/page-change/cancel")
    gateway.ended("page-change")
    assert len(gateway.line.emulator.starts(actor)) == 2


def test_open_pages_are_told_of_changes(gateway, faults):
    actor = gateway.line.emulator.actor("page-live", items=5, duration_secs=600)
    faults({"method": "GET", "action": "delay", "secs": 600, "path_regex": "/items$"})
    gateway.order(key="page-live", actor=actor)
    wait_for(lambda: gateway.line.state("page-live") == "RUNNING", what="the run")
    with gateway.http.stream("GET", "/jobs/page-live/live") as events:
        assert events.headers["Content-Type"].startswith("text/event-stream")
        gateway.line.emulator.finish_runs_of(actor)
        assert next(text for text in events.iter_lines() if text.startswith("event:")) == "event: changed"
    gateway.line.emulator.end_faults()


@pytest.mark.thorough
def test_one_key_leaves_others_room_for_open_pages(closed):
    """Half of what a gateway serves is for one key; what it has too many of says so."""
    _, sign_in = closed
    greedy, other = sign_in("greedy"), sign_in("modest")
    limits = httpx.Limits(max_connections=MOST_PAGES_OF_ONE + 1)
    with ExitStack() as stack:
        client = stack.enter_context(
            httpx.Client(base_url=greedy.base_url, cookies=greedy.cookies, headers=OWN, limits=limits, timeout=60)
        )
        for _ in range(MOST_PAGES_OF_ONE):
            assert stack.enter_context(client.stream("GET", "/live")).status_code == 200
        refused = client.get("/live")
        assert (refused.status_code, "100 open pages at a time" in refused.text) == (429, True)
        with other.stream("GET", "/live") as events:
            assert events.status_code == 200


def test_without_redis_a_page_says_so_and_recovers(short_folder, emulator, tmp_path):
    line = make_line(f"redis+socket://{short_folder}/s", emulator, tmp_path, "pages-redis")
    with running_gateway(line) as gateway:
        response = gateway.http.get("/")
        assert (response.status_code, response.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
        assert "Redis can't be used" in unescape(response.text)
        assert "again" not in response.text  # nothing was sent
        assert response.headers["Retry-After"]
        with running_valkey(short_folder):
            wait_for(lambda: gateway.http.get("/").status_code == 200, what="the page")
    line.client.close()


def test_delivery_is_shown_and_downloaded_without_running_it(gateway):
    picture = {
        "body": f"<svg xmlns='http://www.w3.org/2000/svg'><text>{HOSTILE}</text></svg>",
        "content_type": "image/svg+xml",
    }
    html = {"body": "<script>alert(3)</script>", "content_type": "text/html"}
    records = {"PICTURE": picture, "PAGE": html}
    actor = gateway.line.emulator.actor("page-rows", items=1500, item_kind="nasty", records=records)
    result = gateway.delivered("page-rows", actor=actor, collect={"page_items": 1000, "all_records": True})
    response = gateway.http.get("/jobs/page-rows/rows")
    tags = Tags(response.text)
    assert tags.risks == []
    assert re.findall(r'<img src="([^"]+)"', response.text) == ["/jobs/page-rows/records/PICTURE"]
    assert "The first 25 of 1,500 rows" in response.text
    for name in ("PICTURE", "PAGE"):
        sent = gateway.http.get(f"/jobs/page-rows/records/{name}").headers
        assert (sent["Content-Security-Policy"], sent["Content-Disposition"]) == ("sandbox", "attachment")
    rows = gateway.http.get("/jobs/page-rows/items")
    assert rows.headers["Content-Disposition"] == 'attachment; filename="page-rows.jsonl"'
    assert len(rows.content.splitlines()) == result["items"] == 1500
    part = unescape(re.search(r'href="(/jobs/page-rows/parts/[^"]+)"', response.text)[1])
    assert len(gzip.decompress(gateway.http.get(part).content).splitlines()) == 1000
    for name in ("manifest.json", "..%2f..%2fstack.json", "%2e%2e/x"):
        assert gateway.http.get(f"/jobs/page-rows/parts/{name}").status_code == 404


def test_a_documents_secrets_are_masked(gateway):
    given = {"login": {"password": "hunter2"}, "apiKey": "hunter2", "url": "https://me:hunter2@example.com", "depth": 3}
    gateway.order(key="page-masked", actor="demo/none-such", input=given)
    text = unescape(gateway.http.get("/jobs/page-masked/document").text)
    assert "hunter2" not in text
    assert '"depth": 3' in text


def test_inputs_are_shown_to_their_sender_only(closed):
    gateway, sign_in = closed
    scopes = frozenset({Scope.READ, Scope.SUBMIT})
    sender, other = sign_in("author", scopes=scopes), sign_in("stranger", scopes=scopes)
    order(gateway, sender, "page-input", input={"note": "typed"})
    assert "typed" in sender.get("/jobs/page-input/document").text
    assert "typed" not in other.get("/jobs/page-input/document").text
    assert (sender.get("/jobs/page-input/again").status_code, other.get("/jobs/page-input/again").status_code) == (
        200,
        403,
    )
    form = {"token": token_in(other.get("/")), "document": '{"actor": "demo/none"}'}
    assert other.post("/jobs/page-input/again", data=form).status_code == 403


@pytest.mark.thorough
def test_an_order_is_placed_again_with_changes(gateway):
    actor = gateway.line.emulator.actor("page-again", items=4)
    gateway.delivered("page-again", actor=actor, input={"n": 1})
    asked = gateway.http.get("/jobs/page-again/again")
    document = json.loads(unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", asked.text, re.DOTALL)[1]))
    assert (document["key"], document["input"]) == ("page-again-2", {"n": 1})
    form = {"token": token_in(asked), "document": json.dumps({**document, "memory": 1})}
    refused = gateway.http.post("/jobs/page-again/again", data=form, headers=OWN)
    assert (refused.status_code, "memory" in refused.text) == (422, True)
    response = gateway.http.post("/jobs/page-again/again", data={**form, "document": json.dumps(document)}, headers=OWN)
    assert (response.status_code, response.headers["Location"]) == (303, "/jobs/page-again-2")
    assert gateway.ended("page-again-2")["items"] == 4


@pytest.mark.thorough
def test_the_end_of_the_runs_log_is_shown(gateway):
    actor = gateway.line.emulator.actor("page-log", items=4)
    gateway.delivered("page-log", actor=actor)
    assert "ACTOR: Pulling Docker image" in gateway.http.get("/jobs/page-log/log").text


@pytest.mark.thorough
def test_logs_that_come_slowly_keep_no_other_request_waiting(gateway, faults):
    actor = gateway.line.emulator.actor("page-slow-log", items=1, duration_secs=0)
    run_id = gateway.delivered("page-slow-log", actor=actor)["run_id"]
    faults({"action": "delay", "path_regex": f"logs/{run_id}", "secs": 600})
    with ThreadPoolExecutor(60) as pool:
        asked = [pool.submit(gateway.http.get, "/jobs/page-slow-log/log", timeout=120) for _ in range(60)]
        wait_for(lambda: sum(each.done() for each in asked) == 50, what="50 refusals")
        assert gateway.http.get("/v1/jobs").status_code == 200
        gateway.line.emulator.end_faults()
        codes = Counter(each.result().status_code for each in asked)
    assert codes == {200: 10, 429: 50}


@pytest.mark.thorough
def test_many_jobs_are_changed_as_was_said_before(gateway):
    actor = gateway.line.emulator.actor("page-bulk", items=4, final_status="FAILED", usage_usd=0.5)
    for number in range(3):
        document = {"actor": actor, "labels": {"bulk": "x"}, "options": {"max_total_charge_usd": 2}}
        gateway.delivered(f"page-bulk-{number}", **document, on_failure={"deliver_partial": False})
    gateway.delivered("page-bulk-good", actor=gateway.line.emulator.actor("page-bulk-good", items=1))
    token = token_in(gateway.http.get("/"))
    chosen = {"token": token, "action": "retry", "key": ["page-bulk-0", "page-bulk-1", "page-bulk-good"]}
    asked = gateway.http.post("/bulk", data=chosen, headers=OWN)
    assert "<b>2 jobs</b> start another paid run, together at most $4.0000" in asked.text
    assert "1 job left out" in asked.text
    everything = gateway.http.post(
        "/bulk", data={"token": token, "action": "retry", "all": "yes", "filter": "label=bulk%3Ax"}, headers=OWN
    )
    assert "<b>3 jobs</b>" in everything.text
    fields = re.findall(r'name="(\w+)" value="([^"]*)"', asked.text)
    form = {name: [value for each, value in fields if each == name] for name, _ in fields}
    unsaid = {**form, "free": form["paid"], "paid": []}
    assert "would be another paid run" in gateway.http.post("/bulk/confirmed", data=unsaid, headers=OWN).text
    assert len(gateway.line.emulator.starts(actor)) == 3
    for _ in range(2):
        assert gateway.http.post("/bulk/confirmed", data=form, headers=OWN).status_code == 200
    wait_for(lambda: len(gateway.line.emulator.starts(actor)) == 5, what="two more runs")
    for number in range(2):
        gateway.ended(f"page-bulk-{number}")
    assert len(gateway.line.emulator.starts(actor)) == 5


@pytest.mark.thorough
def test_money_counts_what_the_visitor_may_see(gateway, closed):
    actor = gateway.line.emulator.actor("page-money", items=4, usage_usd=0.25)
    for number in range(2):
        gateway.delivered(f"page-money-{number}", actor=actor, labels={"payer": "page-money"})
    text = gateway.http.get("/money").text
    assert re.search(r"payer:page-money</bdi></a></td><td class=\"n\">\$0.5000</td>", text)
    hours = re.findall(r"<td>\d\d:00</td><td class=\"n\">\$([\d.]+)", text[text.index('id="hours"') :])
    assert sum(map(float, hours)) >= 0.5  # other tests' jobs cost something, too
    assert re.search(r"Delivered</span></td>.*?<td class=\"n\">\d", text[text.index('id="ends"') :], re.DOTALL)
    assert re.search(r"demo/page-money</bdi></a></td><td class=\"n\">\$0.5000</td>", text)
    other, sign_in = closed
    scopes = frozenset({Scope.READ, Scope.SUBMIT})
    rich = sign_in("rich", scopes=scopes, accounts=frozenset({"rich"}))
    poor = sign_in("poor", scopes=scopes, accounts=frozenset({"poor"}))
    order(other, rich, "page-rich", account="rich", labels={"of": "the-rich"})
    assert "the-rich" in rich.get("/money").text
    assert "the-rich" not in poor.get("/money").text


def test_the_fleet_needs_its_own_scope_and_warns_as_doctor_does(gateway, closed):
    text = unescape(gateway.http.get("/fleet").text)
    assert "append-only file on" in text
    assert "<dd>Valkey " in text
    assert "workers</b>" in text
    _, sign_in = closed
    reader, measurer = sign_in("no-fleet", scopes=frozenset({Scope.READ})), sign_in("fleet")
    assert (reader.get("/fleet").status_code, "/fleet" in reader.get("/").text) == (403, False)
    assert "no control worker runs (never seen)" in unescape(measurer.get("/fleet").text).lower()


def test_the_fleet_names_jobs_only_to_who_may_see_them(closed):
    gateway, sign_in = closed
    ledger = gateway.line.ledger
    order(gateway, sign_in("strays", accounts=frozenset({"rich"})), "page-stray", account="rich")
    ledger.change("page-stray", Change(to=State.RUNNING, fields={"failures": 200}), epoch=None)
    ledger.runs.add_stray("stray-run", "page-stray")
    for accounts, are_named in ((None, True), (frozenset({"rich"}), True), (frozenset({"poor"}), False)):
        text = sign_in("fleet-of-some", accounts=accounts).get("/fleet").text
        assert ("looks at the runs of page-stray" in text, "stray-run" in text) == (are_named, are_named)
        assert ("page-stray" in text) is are_named
        assert "o control worker runs" in text
    ledger.runs.forget_stray("stray-run")
    ledger.change("page-stray", Change(to=State.FAILED), epoch=None)


def test_mistakes_of_schedules_are_told_to_keys_of_all_accounts(closed):
    gateway, sign_in = closed
    file = gateway.line.home / "schedules.toml"
    file.write_text('[schedules.theirs]\ncron = "x"\ndocument = {actor = "demo/x", account = "other"}\n')
    for accounts, is_told in ((None, True), (frozenset({"default"}), False)):
        text = sign_in("faults", accounts=accounts).get("/schedules").text
        assert ("schedules nothing" in text, "theirs" in text) == (True, is_told)
    file.unlink()


def test_ordering_now_tells_nothing_of_what_has_the_key(closed):
    gateway, sign_in = closed
    theirs, browser = (sign_in(f"now-{name}", accounts=frozenset({name})) for name in ("other", "default"))
    order(gateway, theirs, "now-taken", account="other")
    file = gateway.line.home / "schedules.toml"
    file.write_text(
        '[schedules.one]\nevery_secs = 90\ndocument = {actor = "demo/x"}\n'
        '[schedules.many]\nevery_secs = 90\nbatch = {inputs = [{a = 1}], template = {actor = "demo/x"}}\n'
    )
    form = {"token": token_in(browser.get("/")), "key": "now-taken"}
    for name in ("one", "many"):
        response = browser.post(f"/schedules/{name}/run", data=form)
        assert (response.status_code, "The key is already in use." in response.text) == (409, True)
    file.unlink()


@pytest.mark.thorough
def test_schedules_are_shown_and_ordered_now_once(own_line):
    line = own_line("pages-schedules")
    actor = line.emulator.actor("page-schedule", items=1)
    document = f'{{actor = "{actor}", labels = {{day = "{{date}}"}}, options = {{max_total_charge_usd = 2.5}}}}'
    (line.home / "schedules.toml").write_text(
        f'[schedules.nightly]\ncron = "0 3 * * *"\ndocument = {document}\n'
        f'[schedules.weekly]\ncron = "0 3 * * 1"\nbatch = {{inputs = [{{a = 1}}, {{a = 2}}], budget_usd = 4, '
        f'template = {{actor = "{actor}"}}}}\n'
        f'[schedules.foreign]\nevery_secs = 90\ndocument = {{actor = "{actor}", account = "other"}}\n'
    )
    with running_gateway(line) as gateway:
        text = gateway.http.get("/schedules").text
        assert "nightly" in text
        assert "No beat is running" in text
        assert re.search(r" \d\d:\d\d:[03]0</time>", text)  # every 90 s
        asked = gateway.http.get("/schedules/nightly/run")
        assert "at most $2.5000" in asked.text
        form = {"token": token_in(asked), "key": re.search(r'name="key" value="([^"]+)"', asked.text)[1]}
        places = {
            gateway.http.post("/schedules/nightly/run", data=form, headers=OWN).headers["Location"] for _ in range(2)
        }
        assert places == {f"/jobs/{form['key']}"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", line.ledger.load(form["key"]).document.labels["day"])
        asked = gateway.http.get("/schedules/weekly/run")
        assert "the paid runs of a batch, of at most $4.0000 together" in asked.text
        form = {"token": token_in(asked), "key": re.search(r'name="key" value="([^"]+)"', asked.text)[1]}
        places = {
            gateway.http.post("/schedules/weekly/run", data=form, headers=OWN).headers["Location"] for _ in range(2)
        }
        assert places == {f"/batches/{form['key']}"}
        assert load_batch(line.ledger, form["key"]).document.budget_usd == 4
        assert "1 open batch</a>" in gateway.http.get("/").text
        for change, is_paused in (("pause", True), ("pause", True), ("resume", False), ("resume", False)):
            assert gateway.http.post(f"/schedules/nightly/{change}", data=form, headers=OWN).status_code == 303
            assert ("nightly" in paused_schedules(line.ledger)) is is_paused
            page = gateway.http.get("/schedules").text
            assert ("paused</span>" in page, "would be due <time" in page) == (is_paused, is_paused)
        assert [entry.event for entry in read_audit(line.ledger, 3)] == ["schedule-resumed", *["schedule-paused"] * 2]
        secret = create_key(line.ledger, "narrow", Rights(accounts=frozenset({"default"})), FROM_TERMINAL)
        with httpx.Client(base_url=gateway.url, headers=OWN) as browser:
            assert browser.post("/sign-in", data={"key": secret}).status_code == 303
            assert "foreign" not in browser.get("/schedules").text
            assert browser.get("/schedules/foreign/run").status_code == 404
            token = {"token": token_in(browser.get("/schedules"))}
            assert browser.post("/schedules/foreign/pause", data=token).status_code == 404
        secret = create_key(line.ledger, "reader", Rights(scopes=frozenset({Scope.READ})), FROM_TERMINAL)
        with httpx.Client(base_url=gateway.url, headers=OWN) as browser:
            assert browser.post("/sign-in", data={"key": secret}).status_code == 303
            assert "Pause</button>" not in browser.get("/schedules").text
            token = {"token": token_in(browser.get("/schedules"))}
            assert browser.post("/schedules/nightly/pause", data=token).status_code == 403
        assert paused_schedules(line.ledger) == {}
