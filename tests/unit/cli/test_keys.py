"""What a person sees of API keys has a head that names its columns."""

from actorline.api_keys import ApiKey
from actorline.cli.administration.keys import _print_table
from actorline.jobs.rights import Rights, Scope


def test_list_of_keys_names_its_columns(capsys):
    rights = Rights(scopes=frozenset({Scope.READ}), accounts=None, max_usd_per_run=2)
    _print_table([ApiKey(name="prices", sha256="", created_at=0.0, **dict(rights))])
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "scopes", "accounts", "actors", "usd/run", "usd/day", "created"]
    assert row.split() == ["prices", "read", "any", "any", "2", "any", "1970-01-01"]
