"""A notice that finds no place waits in line, whatever happens meanwhile."""

from types import SimpleNamespace

from tasks import notify as module


def test_notice_looks_again_for_a_place_once_its_wait_is_noted(monkeypatch):
    done = []
    notice = SimpleNamespace(note=lambda event, fields: done.append((event, *fields)))
    monkeypatch.setattr(module, "_try_to_send", lambda *_: bool(done.append("try")))
    monkeypatch.setattr(module, "ledger", lambda: SimpleNamespace(now=lambda: 0.0))
    module._send_request(notice, "https://a.example/")
    assert done == ["try", (None, "notice_at"), "try"]
