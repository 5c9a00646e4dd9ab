"""Every Redis key of Actorline's own: its type, what it holds and how long it lives. Makes `docs/redis.md`.

Celery's keys, for queues and results, are not among them. All keys begin with the namespace, `actorline` by default.
"""

from typing import Final, Literal, NamedTuple

RedisType = Literal["hash", "list", "set", "sorted set", "stream", "string"]

JOB: Final = "as long as the job is in the ledger"
BATCH: Final = "as long as the batch is in the ledger"
ALWAYS: Final = "always"


class RedisKey(NamedTuple):
    """`pattern`: without the namespace; `holds`: for a hash or set, what each member is."""

    pattern: str
    type: RedisType
    holds: str
    life: str


GROUPS: Final[dict[str, tuple[RedisKey, ...]]] = {
    "Jobs": (
        RedisKey("job:{key}", "hash", "the job: fields of `jobs/job.py`, its input, tokens of changes", JOB),
        RedisKey("events:{key}", "stream", "the job's timeline, the newest 500 entries", JOB),
        RedisKey("runs:{key}", "hash", "attempt -> every run id ever seen for it (JSON list)", JOB),
        RedisKey("pages:{key}:{attempt}", "hash", "page number -> its window, then its receipt", JOB),
        RedisKey("row_keys:{key}:{attempt}", "hash", "page number -> sample of its rows' keys (`guard.unique`)", JOB),
        RedisKey("records:{key}:{attempt}", "hash", "number -> receipt of a block of records", JOB),
        RedisKey("callers:{key}", "hash", "Celery task id -> continuation of a caller", JOB),
        RedisKey("job_ids:{key}", "set", "the ids in `ids` that are its callers'", JOB),
        RedisKey("stage_ids:{key}", "set", "those that are its stages'", JOB),
        RedisKey("stage_tasks:{key}", "hash", "stage -> the Celery task that it ran in last", JOB),
        RedisKey("searched:{key}", "string", "what a search for an unclear start came to", "30 s"),
        RedisKey("hinted_run:{key}", "string", "the run that a webhook named for the job", "1 day"),
        RedisKey("progress:{key}", "string", "exists while PROGRESS was reported a moment ago", "1 s"),
        RedisKey("lease:{...}", "string", "who holds a lease, such as that of a start or a page", "seconds; renewed"),
    ),
    "All jobs": (
        RedisKey("state:{state}", "sorted set", "key of each job in the state -> queued_at", ALWAYS),
        RedisKey("state:{state}:{account}", "sorted set", "the same, of one account", ALWAYS),
        RedisKey("actor:{name}", "sorted set", "key of each job ordered by this name of an Actor -> queued_at", ALWAYS),
        RedisKey("label:{label}", "sorted set", "key of each job with this label (`name=value`) -> queued_at", ALWAYS),
        RedisKey("indexed_at", "string", "unix seconds when these sets had all jobs", "1 day"),
        RedisKey("ids", "hash", "Celery task id -> key of the job that it serves or waits for", "as long as its job"),
        RedisKey("run_keys", "hash", "run id -> key, of every run ever seen", "as long as its job"),
        RedisKey("markers", "hash", "digest of a marker -> key of the job whose runs bear it", "as long as its job"),
        RedisKey("strays", "hash", "run id -> key, of runs that no job wants", "until the run's end is confirmed"),
        RedisKey("forgotten_runs", "sorted set", "run id, of jobs that `forget` removed -> until when", "30 days"),
        RedisKey("like:{likeness}", "string", "key of the latest delivery of jobs that are alike", "the retention"),
        RedisKey("parked", "hash", "key of each job whose run is watched with others -> what is known of it", ALWAYS),
        RedisKey(
            "parked_runs:{account}", "sorted set", "{run id}:{status} of parked jobs -> when last seen so", ALWAYS
        ),
        RedisKey("parked_keys:{account}", "hash", "run id -> keys of the parked jobs that wait for it", ALWAYS),
        RedisKey("fleet:{account}", "hash", "the parked jobs' intervals, and when their runs were listed", ALWAYS),
        RedisKey("listing:{account}", "string", "exists while these were listed within their interval", "an interval"),
        RedisKey("forget_from:{state}", "string", "how many of the oldest jobs, or `batches`, were skipped", ALWAYS),
    ),
    "Batches": (
        RedisKey("batch:{key}", "hash", "the batch: fields of `batches/batch.py`, and its members' counters", BATCH),
        RedisKey("batch_live:{key}", "set", "keys of its members that haven't ended", BATCH),
        RedisKey("batch_sent:{key}", "string", "exists while a message that continues it is under way", "20 s"),
        RedisKey("batches", "sorted set", "key of each batch -> queued_at", ALWAYS),
    ),
    "What is due when: members -> unix seconds": (
        RedisKey("batch_due", "sorted set", "key of each batch that upkeep looks after", ALWAYS),
        RedisKey("due", "sorted set", "key of each job that upkeep looks after", ALWAYS),
        RedisKey("deadlines", "sorted set", "key of each job that has a deadline", ALWAYS),
        RedisKey("stray_due", "sorted set", "run id of each stray", ALWAYS),
        RedisKey("sweeps", "sorted set", "account whose runs are searched for orphans", ALWAYS),
        RedisKey("second_looks", "sorted set", "attempt and key of each start to search for again", ALWAYS),
        RedisKey("fleets", "sorted set", "account whose parked jobs' runs are listed", ALWAYS),
        RedisKey("lines", "sorted set", "account whose waiting jobs are called", ALWAYS),
        RedisKey("hook_runs", "sorted set", "hook and run id of each run that a hook hasn't handled yet", ALWAYS),
        RedisKey("upkeep", "string", "exists while a worker's timer sent an upkeep a moment ago", "1 s"),
    ),
    "Accounts of the platform": (
        RedisKey("account_owners", "hash", "alias -> the user that it stands for", ALWAYS),
        RedisKey("account_use", "hash", "alias -> how much of the account's limits is used (JSON)", ALWAYS),
        RedisKey("paused", "set", "accounts whose starts are paused, or `*`", ALWAYS),
        RedisKey("line:{account}", "sorted set", "key of each job that waits for room -> its place", ALWAYS),
        RedisKey("pace:{account}", "hash", "how many of them are called at a time", "seconds"),
        RedisKey("room:{account}", "hash", "how many more runs, and memory, its limits leave", "10 minutes"),
        RedisKey(
            "room_claims:{account}", "sorted set", "key of each start that takes of it -> until when", "10 minutes"
        ),
        RedisKey("room_needs:{account}", "hash", "key of each such start -> MB of memory that it needs", "10 minutes"),
        RedisKey("actor_memory:{target}", "string", "MB of memory of a run, where the order names none", "10 minutes"),
        RedisKey("marker_seen", "hash", "account -> 1 if our marker came back in a run, 0 if not", ALWAYS),
        RedisKey("looked_back", "hash", "account -> the gap in the ledger's history that was searched", ALWAYS),
        RedisKey("look_back:{account}", "hash", "the gap that is being searched, and how far", "until it is searched"),
        RedisKey("lost_runs:{account}", "hash", "marker -> run ids that the ledger had forgotten", "30 days"),
        RedisKey("rate:{kind}", "string", "requests a second that the platform named for a resource", "1 h"),
        RedisKey(
            "hold:{account}:{kind}:{id}", "string", "unix seconds until which the platform asks for a pause", "seconds"
        ),
        RedisKey("rates:{...}", "string", "requests of this second, kept by `limits`", "seconds"),
    ),
    "Budgets": (
        RedisKey(
            "budget:{id}:{period}",
            "hash",
            "`spent` and `reserved` in nano-dollars",
            "90 days after a change; a batch's as long as the batch",
        ),
        RedisKey("budget_line:{id}", "sorted set", "key of each job that waits for room -> its place", ALWAYS),
        RedisKey("budget_lines", "sorted set", "id of each such budget -> when its line is looked at", ALWAYS),
    ),
    "Services that order": (
        RedisKey("api_keys", "hash", "name -> API key (JSON; its hash, never the key)", ALWAYS),
        RedisKey("api_keys_used", "string", "exists since the first API key was made", ALWAYS),
        RedisKey(
            "signed_in:{digest}", "string", "whose API key opened a session of the jobs page (JSON)", "12 h; renewed"
        ),
        RedisKey("sessions_of:{api key}", "list", "its sessions, the last 100, the oldest first", "12 h; renewed"),
        RedisKey("open:{api key}", "set", "keys of its jobs that haven't ended", ALWAYS),
        RedisKey("spent:{api key}", "hash", "day -> nano-dollars that its orders may cost", "a day"),
        RedisKey("spent_call:{token}", "string", "what a call that changed that sum returned", "10 min"),
        RedisKey("orders:{...}", "string", "its orders of this minute, kept by `limits`", "1 minute"),
        RedisKey("outside_places", "hash", "key of each job that calls a server -> until when", ALWAYS),
        RedisKey("outside_lanes", "sorted set", "account and host -> when it last had its turn", ALWAYS),
        RedisKey("outside_line:{lane}", "sorted set", "key of each job that waits for a call -> since when", ALWAYS),
        RedisKey("audit", "stream", "who changed the installation, the newest entries", ALWAYS),
    ),
    "Webhooks and schedules": (
        RedisKey("webhook_secret", "string", "what proves that the platform sent a webhook", ALWAYS),
        RedisKey("webhook_secret_before", "string", "sha256 of the secret before", "its grace"),
        RedisKey("hooks", "hash", "id -> hook (JSON)", ALWAYS),
        RedisKey("dispatch:{id}", "string", "exists for each webhook that was accepted", "3 days"),
        RedisKey("schedules", "hash", "name -> how far the schedule has come (JSON)", ALWAYS),
        RedisKey("schedule_pauses", "hash", "name of each paused schedule -> since when and why (JSON)", ALWAYS),
        RedisKey("beats", "sorted set", "each beat -> when it last looked", ALWAYS),
    ),
    "The installation": (
        RedisKey("installation", "string", "the name that marks our runs", ALWAYS),
        RedisKey("continuity", "hash", "the server's run id, the last break of the history, the last beat", ALWAYS),
        RedisKey("gaps", "sorted set", "each break of the history -> since when writes may be lost", ALWAYS),
        RedisKey("tally", "hash", "what came of all jobs, counted: see `ledger/queries/tally.py`", ALWAYS),
        RedisKey("queues", "hash", "kind of queue -> messages in it, and since when it isn't empty", ALWAYS),
        RedisKey("queue_ages", "stream", "one entry a minute: kind of queue -> seconds it wasn't empty", "6 h"),
        RedisKey("empty", "hash", "kind of queue -> when it was last seen empty", ALWAYS),
        RedisKey("workers", "hash", "kind of worker -> when one was last there", ALWAYS),
        RedisKey("live_workers", "sorted set", "name, version and queues of each worker -> when last there", "1 h"),
        RedisKey("swept_at", "string", "when upkeep last looked after all jobs", ALWAYS),
    ),
}

KEY_KINDS: Final = frozenset(key.pattern.partition(":")[0] for group in GROUPS.values() for key in group)
