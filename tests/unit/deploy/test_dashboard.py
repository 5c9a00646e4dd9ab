"""The dashboard and the alerts read nothing that isn't reported, and Grafana can show each panel."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
DASHBOARD = json.loads((ROOT / "config" / "grafana" / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "summary": ["_sum", "_count"]}
OTHERS = {"account", "instance", "job", "le"}  # labels of Prometheus's own


def reported() -> dict[str, set[str]]:
    """Each series that docs/metrics.md names, which a test compares with the code -> its labels."""
    rows = re.findall(
        r"^\| `(actorline_\w+)` \| (\w+) \| (.*?) \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE
    )
    return {
        f"{name}{suffix}": set(re.findall(r"`(\w+)`", labels))
        for name, kind, labels in rows
        for suffix in SUFFIXES.get(kind, [""])
    }


def queries() -> list[str]:
    alerts = yaml.safe_load((ROOT / "config" / "alerts.yml").read_text())["groups"][0]["rules"]
    return [
        *(target["expr"] for panel in PANELS for target in panel["targets"]),
        *(rule["expr"] for rule in alerts),
    ]


def test_every_query_reads_series_and_labels_that_are_reported():
    known = reported()
    for query in queries():
        names = set(re.findall(r"actorline_\w+", re.sub(r'"[^"]*"', '""', query)))
        assert names <= known.keys(), query
        labels = set().union(*(known[name] for name in names)) | OTHERS
        grouped = {label for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(", ")}
        assert grouped | set(re.findall(r"(\w+)(?:=~|!=|=)\"", query)) <= labels, query


def test_every_figure_that_no_other_holds_is_on_the_dashboard():
    shown = " ".join(target["expr"] for panel in PANELS for target in panel["targets"])
    unseen = {
        name for name in reported() if not re.search(rf"{name}\b", shown) and not name.endswith(("_sum", "_count"))
    }
    assert unseen == {
        "actorline_account_read_seconds", "actorline_build", "actorline_jobs_queued_total", "actorline_pages_total",
        "actorline_waits_total", "actorline_worker",
    }  # fmt: skip


def test_panels_have_ids_places_and_a_source_of_their_own():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    cells = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, panel["title"]
        cells |= own
    source = yaml.safe_load((ROOT / "config" / "grafana" / "datasource.yml").read_text())["datasources"][0]["uid"]
    for panel in PANELS:
        assert panel["title"]
        assert {panel["datasource"]["uid"], *(target["datasource"]["uid"] for target in panel["targets"])} == {source}


def test_prometheus_can_read_every_query(promtool, tmp_path):
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries())]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(file))
