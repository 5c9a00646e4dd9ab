"""The lock that the image is built from, and what an audit of it says."""

import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)
make_sboms = runpy.run_path(str(ROOT / "requirements" / "sbom.py"))["main"]
verdict = runpy.run_path(str(ROOT / "requirements" / "audit.py"))["verdict"]


def pins_of(name):
    return dict(PIN.findall((ROOT / "requirements" / name).read_text()))


def test_the_lock_satisfies_what_the_image_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [Requirement(line) for line in (*project["dependencies"], *extras["emulator"], *extras["gateway"])]
    pins = pins_of("image.txt")
    assert [str(each) for each in needed if not each.specifier.contains(pins[each.name])] == []
    assert "hatchling" in pins_of("build.txt")
    assert pins_of("parquet.txt").keys() == {"pyarrow"}


def test_all_has_what_each_other_extra_has():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (every,) = extras.pop("all")
    assert Requirement(every).extras == extras.keys()


def test_the_bill_of_materials_names_every_release_with_its_hash(tmp_path):
    pytest.importorskip("cyclonedx_py", reason="part of `make test-all`")
    assert make_sboms(tmp_path) == 0
    for name, locks in (("sbom.json", ["image.txt"]), ("sbom-parquet.json", ["image.txt", "parquet.txt"])):
        components = json.loads((tmp_path / name).read_text())["components"]
        assert {each["name"] for each in components} == {pin for lock in locks for pin in pins_of(lock)}
        assert all(each["externalReferences"][0]["hashes"] for each in components)


@pytest.mark.parametrize("name", ["image.txt", "build.txt", "parquet.txt"])
def test_the_lock_names_files_by_hash_and_no_index(name):
    text = (ROOT / "requirements" / name).read_text()
    lines = text.splitlines()
    assert {line.split()[0].partition("=")[0] for line in lines if line.startswith(" ")} == {"--hash"}
    assert all(line.endswith("\\") for line in lines if "==" in line)
    assert "://" not in text
    assert "index" not in text


@pytest.mark.parametrize(
    ("releases", "text", "code"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], "No known hole in 1 releases", 0),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}],
            "a 1: CVE-1, fixed in 2",
            1,
        ),
        ([{"name": "a", "skip_reason": "none"}], "NOT AUDITED: no advisories could be read for any of 1", 0),
        (
            [{"name": "a", "skip_reason": "none"}, {"name": "b", "version": "1", "vulns": []}],
            "No known hole in 1 releases; no advisories could be read for 1",
            0,
        ),
    ],
)
def test_an_audit_fails_for_a_hole_and_admits_what_it_missed(releases, text, code):
    said, exit_code = verdict(releases)
    assert said.startswith(text)
    assert exit_code == code
