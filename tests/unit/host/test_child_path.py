"""What of `PYTHONPATH` our processes inherit."""

import os

import pytest

from actorline.host.child_path import ROOT, inherited_environment


@pytest.mark.parametrize(
    ("given", "inherited"),
    [
        (None, None),
        ("", None),
        ("/somebody/elses", None),
        (f"/somebody/elses{os.pathsep}{ROOT}", f"{ROOT}{os.pathsep}/somebody/elses{os.pathsep}{ROOT}"),
    ],
)
def test_path_is_inherited_if_it_is_how_we_were_found(monkeypatch, given, inherited):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if given is not None:
        monkeypatch.setenv("PYTHONPATH", given)
    environment = inherited_environment()
    assert environment.get("PYTHONPATH") == inherited
    assert environment["PATH"] == os.environ["PATH"]
