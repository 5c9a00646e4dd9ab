"""Collect what exists already: python collect_existing.py run_id ID, or python collect_existing.py dataset_id ID

`run_id` takes over a run that others started: it is waited for, never aborted, and costs nothing more.
`dataset_id` fetches a dataset as it is now. Actorline's addresses come from the environment or actorline.toml.
"""

import sys

from actorline.client import Client
from actorline.jobs.job_key import fresh_key


def main(target: str, target_id: str) -> None:
    # A run ends once, so its id makes the key: collecting it again returns what was delivered. A dataset may grow.
    key = f"collect-{target_id}" if target == "run_id" else fresh_key()
    with Client.from_settings() as client:
        result = client.wait(client.submit({"key": key, target: target_id}), timeout=24 * 3600)
        print(f"{result.state}: {result.items} items in {result.sink}")
        for item in client.iter_items(result):
            print(item)
            break  # the first one, for a look


if __name__ == "__main__":
    main(*sys.argv[1:])
