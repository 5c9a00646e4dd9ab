"""What a person sees of a list has a head that names its columns."""

from actorline.cli.webhooks import _print_table
from actorline.settings import Settings
from actorline.webhooks.hooks import Hook


def test_list_of_webhooks_names_its_columns(capsys):
    hook = Hook(
        id="h1", account="shop", target="actor", name="demo/rows", target_id="a1", template={}, serial="s", added_at=0
    )
    _print_table(Settings(), [hook])
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["id", "collects", "account", "added", "last", "event"]
    assert row.split()[:3] == ["h1", "demo/rows", "shop"]
    assert row.rstrip().endswith("not registered: add it again")
