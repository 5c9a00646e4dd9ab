"""What a run used: the part of a run that every manifest repeats."""

from actorline.platform.resource import Resource


class RunStats(Resource):
    """Counters of a run (OpenAPI, components/schemas/RunStats); preliminary for about 10 s after the end."""

    input_body_len: int | None = None
    restart_count: int | None = None
    resurrect_count: int | None = None
    run_time_secs: float | None = None
    compute_units: float | None = None
