"""How much of its limits an account uses: read with each sweep, for the gateway's metrics, which knows no token."""

from actorline.identifiers import AccountName
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.fleet import note_use
from actorline.platform.client import Platform
from actorline.platform.users import get_limits


def note_account_use(ledger: Ledger, platform: Platform, account: AccountName) -> None:
    """Keep what the platform says of the account's limits. Raises PlatformError."""
    found = get_limits(platform)
    most, now = found.limits, found.current
    used = {
        "runs": now.active_actor_job_count,
        "memory_gbytes": now.actor_memory_gbytes,
        "month_usd": now.monthly_usage_usd,
    }
    limit = {
        "runs": most.max_concurrent_actor_jobs,
        "memory_gbytes": most.max_actor_memory_gbytes,
        "month_usd": most.max_monthly_usage_usd,
    }
    note_use(ledger, account.lower(), _known(used), _known(limit))


def _known(figures: dict[str, float | None]) -> dict[str, float]:
    return {of: figure for of, figure in figures.items() if figure is not None}
