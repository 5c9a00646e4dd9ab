"""`python -P -m actorline.gateway [--host HOST] [--port PORT]`: how commands and the stack start the gateway."""

import argparse
import sys

from actorline.early_stop import obey_early_stops


def main() -> int:
    obey_early_stops()  # before anything is imported that takes its time
    import redis

    from actorline.errors import SettingsError, Unavailable
    from actorline.exit_codes import UNAVAILABLE, USAGE, report
    from actorline.settings import load_settings

    parser = argparse.ArgumentParser(prog="actorline gateway")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8470)
    options = parser.parse_args()
    try:
        from actorline.gateway.server import serve

        serve(load_settings(), options.host, options.port)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error.name} is missing: pip install 'actorline[gateway]'\n")
        return USAGE
    except (SettingsError, Unavailable) as error:
        return report(error)
    except redis.RedisError as error:
        from actorline.ledger.faults import describe_fault

        sys.stderr.write(f"Redis can't be used: {describe_fault(error)}. The gateway was not started.\n")
        return UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
