"""A worker that repeats as often as any, but waits a moment where others wait seconds and minutes."""

import sys

LEASE_SECS = 4.0


def lose_patience() -> None:
    import tasks.fetch_page
    import tasks.shell.stage
    from actorline.stages.collect import fetch_page as fetching
    from actorline.stages.collect import finish_job as finishing

    tasks.fetch_page.PAGE_BACK_OFF_SECS = tasks.shell.stage.STAGE_BACK_OFF_SECS = finishing.WAVE_BACK_OFF_SECS = (0.05,)
    fetching.PAGE_LEASE_SECS, fetching.PAGE_LEASE_RENEW_SECS = LEASE_SECS, 0.5


if __name__ == "__main__":
    from workers.__main__ import main

    lose_patience()
    sys.exit(main(["worker", *sys.argv[1:]]))
