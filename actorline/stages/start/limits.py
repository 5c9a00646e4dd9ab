"""Reads what an account's limits say, and keeps it for all who need it: starts, metrics, `jobs`, `doctor`."""

from actorline.identifiers import AccountName
from actorline.ledger.admission.account_room import CLOCK_SLACK_SECS, KEPT_SECS, AccountRoom, AccountUse
from actorline.ledger.ledger import Ledger
from actorline.platform.client import Platform
from actorline.platform.users import AccountLimits, get_limits


def read_limits(
    ledger: Ledger,
    platform: Platform,
    account: AccountName,
    *,
    asked_at: float | None = None,
    silence_s: float | None = None,
) -> AccountUse:
    """Ask the platform, and keep what it says. `asked_at`: now, by Redis's clock. Raises PlatformError."""
    at = ledger.now() - CLOCK_SLACK_SECS if asked_at is None else asked_at
    use = account_use(get_limits(platform, silence_s=silence_s), at)
    AccountRoom(ledger, account).note(use)
    return use


def refresh_limits(ledger: Ledger, platform: Platform, account: AccountName) -> None:
    """Ask the platform unless a start did within the last minute. Raises PlatformError."""
    noted = AccountRoom(ledger, account).noted()
    if noted is None or noted.age_s > KEPT_SECS:
        read_limits(ledger, platform, account)


def account_use(found: AccountLimits, at: float) -> AccountUse:
    """Return what is known of the limits; what the platform doesn't say is left out."""
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
    return AccountUse(at=at, used=_known(used), limit=_known(limit))


def _known(figures: dict[str, float | None]) -> dict[str, float]:
    return {of: figure for of, figure in figures.items() if figure is not None}
