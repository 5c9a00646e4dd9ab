"""The usage of `doctor`."""

from actorline.cli.usage.options import AsJson


def doctor(as_json: AsJson = False) -> None:
    """Check settings, Redis, tokens, quotas, clock and sink, and say how to fix what is wrong."""
    from actorline.cli.administration import doctor

    doctor.doctor(as_json=as_json)
