"""The pages in a real browser."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
from gateway_process import Gateway, running_gateway
from playwright.sync_api import Browser, Page, expect
from populated import HOSTILE
from real_parts import make_line, wait_for
from terminal import running_valkey

AXE = (Path(__file__).parent / "node_modules/axe-core/axe.min.js").read_text()
GLUED = re.compile(r"[a-z]\.[A-Z][a-z]+ .*")
PATHS = (
    "/", "/?state=FAILED&state=PARTIAL&text=nothing", "/?label=team:pricing", "/jobs/docs-2026-11-28",
    "/jobs/docs-2026-11-28/rows", "/jobs/docs-2026-11-28/document", "/jobs/docs-2026-11-28/log",
    "/jobs/docs-2026-11-28/again", "/jobs/reviews-strict-2026-11-28", "/jobs/reviews-2026-11-28/retry",
    "/jobs/sitemap-2026-11-28", "/jobs/sitemap-2026-11-28/cancel", "/jobs/hostile", "/jobs/hostile/rows",
    "/batches", "/batches/catalog-2026-11-28", "/batches/reviews-all", "/batches/reviews-all/retry",
    "/batches/hostile-batch", "/batches/sitemaps?state=RUNNING", "/batches/sitemaps/cancel",
    "/jobs/reviews-all.000003", "/schedules", "/schedules/nightly-prices/run",
    "/money", "/fleet", "/sign-in", "/jobs/none",
)  # fmt: skip


@contextmanager
def opened(chromium: Browser, site: Gateway, **options) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what went wrong in it: errors, refused contents, dialogs, requests to other hosts."""
    context = chromium.new_context(base_url=site.url, **options)
    page, faults = context.new_page(), []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: None if request.url.startswith(site.url) else faults.append(request.url))
    try:
        yield page, faults
    finally:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_each_page_is_accessible_and_fits(chromium, site, scheme, width):
    with opened(chromium, site, color_scheme=scheme, viewport={"width": width, "height": 800}) as (page, faults):
        told = []
        for path in PATHS:
            page.goto(path)
            if page.evaluate("document.documentElement.scrollWidth") > width:
                told.append((path, "is wider than the screen"))
            told += [(path, "sentences without a space", each) for each in GLUED.findall(page.inner_text("main"))]
            page.evaluate(AXE)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(each => each.violations)")
            told += [(path, each["id"], node["html"][:200]) for each in found for node in each["nodes"]]
        assert told == [], json.dumps(told, indent=1)
        assert [fault for fault in faults if "404" not in fault] == []  # /jobs/none


def test_everything_works_without_scripts(chromium, site):
    with opened(chromium, site, java_script_enabled=False) as (page, faults):
        page.goto("/")
        page.get_by_role("link", name=re.compile("^Failed")).click()
        expect(page.get_by_role("row")).to_have_count(1 + 1 + 2 * 12)  # the head, a job, the members of two batches
        page.get_by_role("link", name="reviews-strict-2026-11-28").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("reviews-strict-2026-11-28")
        for tab in ("Rows", "Document", "Log", "Life"):
            page.get_by_label("About this job").get_by_role("link", name=tab).click()
            expect(page.get_by_role("link", name=tab, exact=True)).to_have_attribute("aria-current", "page")
        page.goto("/?text=sitemap")
        page.get_by_label("Select sitemap-cancelled").check()
        page.get_by_role("button", name="Retry selected").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Retry 1 job?")
        page.get_by_role("link", name="Back").click()
        assert page.url.endswith("/?text=sitemap")
        assert faults == []


def test_a_job_is_cancelled_from_its_page(chromium, site):
    actor = site.line.emulator.actor("browser-cancel", items=9, duration_secs=600)
    site.order(key="browser-cancel", actor=actor)
    with opened(chromium, site) as (page, faults):
        page.goto("/jobs/browser-cancel")
        page.get_by_role("link", name="Cancel").click()
        page.get_by_role("button", name="Cancel the job").click()
        # the page follows the job to its end by itself
        expect(page.locator(".job-head .state")).to_have_text("Cancelled", timeout=60_000)
        assert faults == []


def test_an_open_list_shows_what_is_ordered_by_itself(chromium, site):
    actor = site.line.emulator.actor("browser-live", items=3)
    with opened(chromium, site) as (page, faults):
        page.goto("/")
        expect(page.get_by_role("link", name="browser-live")).to_have_count(0)
        site.order(key="browser-live", actor=actor)
        expect(page.get_by_role("link", name="browser-live")).to_have_count(1, timeout=60_000)
        assert faults == []


def test_a_selection_isnt_lost_to_a_change(chromium, site):
    actor = site.line.emulator.actor("browser-keep", items=3)
    with opened(chromium, site) as (page, _):
        page.goto("/")
        name = page.locator("input[aria-label^='Select ']").first.get_attribute("aria-label") or ""
        chosen = page.get_by_label(name, exact=True)
        chosen.check()
        with page.expect_event("console", lambda message: message.text == "told", timeout=60_000):
            page.evaluate("new EventSource('/live').addEventListener('changed', () => console.log('told'))")
            site.order(key="browser-keep", actor=actor)
        page.wait_for_timeout(300)
        expect(chosen).to_be_checked()
        chosen.uncheck()
        expect(page.get_by_role("link", name="browser-keep")).to_have_count(1, timeout=60_000)


def test_nothing_hostile_runs(chromium, site):
    with opened(chromium, site) as (page, faults):
        for path in (
            "/?text=hostile",
            "/jobs/hostile",
            "/jobs/hostile/rows",
            "/jobs/hostile/log",
            "/jobs/hostile/document",
            "/batches",
            "/batches/hostile-batch",
            "/batches/hostile-batch/retry",
        ):
            page.goto(path)
            page.wait_for_timeout(100)
        page.goto("/jobs/hostile")
        expect(page.locator("main")).to_contain_text(HOSTILE[:25])
        assert faults == []


def test_the_keyboard_reaches_the_content_first(chromium, site):
    with opened(chromium, site) as (page, _):
        page.goto("/")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_slow_or_absent_redis_is_told_and_passes(chromium, emulator, short_folder, tmp_path):
    line = make_line(f"redis+socket://{short_folder}/s", emulator, tmp_path, "browser-redis")
    with running_gateway(line) as gateway, opened(chromium, gateway) as (page, faults):
        page.goto("/")
        expect(page.locator("main")).to_contain_text("Redis can't be used")
        page.evaluate(AXE)
        assert page.evaluate("axe.run(document).then(found => found.violations.map(each => each.id))") == []
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Redis doesn.t respond"))
        with running_valkey(short_folder) as valkey:
            wait_for(lambda: gateway.http.get("/").status_code == 200, what="the page")
            valkey.send_signal(signal.SIGSTOP)
            frozen = Timer(1.5, valkey.send_signal, [signal.SIGCONT])
            frozen.start()
            page.goto("/")  # as slow as its Redis, and whole
            expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
            frozen.join()
        assert [fault for fault in faults if "503" not in fault] == []
    line.client.close()


@pytest.mark.parametrize(
    ("clicks", "answer"),
    [
        (["Running"], "sitemap-2026-11-28"),  # what runs now?
        (["Failed"], "The proxy refused the connection"),  # what failed, and why?
        (["Money"], "This month"),  # what does it cost?
        (["docs-2026-11-28", "Rows"], "Download all rows"),  # where are my rows?
        (["Schedules"], "nightly-prices"),  # what comes next?
        (["Fleet"], "Is everything well?"),
    ],
)
def test_each_question_is_answered_in_two_clicks(chromium, site, clicks, answer):
    with opened(chromium, site) as (page, _):
        page.goto("/?text=docs" if "Rows" in clicks else "/")
        for name in clicks:
            page.get_by_role("link", name=re.compile(f"^{name}")).first.click()
        expect(page.locator("main")).to_contain_text(answer)
