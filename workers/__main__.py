"""`python -P -m workers worker control | worker fetch | beat | flower | stack`: how commands start processes.

`-P` keeps the working directory off the path: a Django project's own `config` and `tasks` must not be imported.
"""

import atexit
import gc
import sys

from actorline.early_stop import obey_early_stops


def main(arguments: list[str]) -> int:
    obey_early_stops()  # before anything is imported that takes its time
    atexit.register(gc.freeze)  # else the interpreter looks for garbage as it ends: most of a stop's CPU
    from actorline.errors import SettingsError, Unavailable
    from actorline.exit_codes import USAGE, report
    from actorline.settings import load_settings

    try:
        settings = load_settings()
        match arguments:
            case ["worker", ("control" | "fetch" | "all") as kind]:
                from workers.worker import run_worker

                run_worker(kind, settings)
            case ["beat"]:
                from workers.beat import run_beat

                run_beat(settings)
            case ["flower", address, port]:
                from workers.flower import run_flower

                run_flower(address, int(port), settings)
            case ["stack", *options]:
                from workers.stack import run_stack

                return run_stack(settings, options)
            case _:
                sys.stderr.write(f"{__doc__}\n")
                return USAGE
    except (SettingsError, Unavailable) as error:
        return report(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
