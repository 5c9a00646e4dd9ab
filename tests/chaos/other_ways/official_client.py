"""Runs Actors with the platform's own client: `official_client.py call|start URL TOKEN ACTOR...`, a process each.

Writes `ACTOR ROWS` as each ends. Ctrl-C, which is SIGINT to the process group, stops them all.
"""

import multiprocessing
import sys

from apify_client import ApifyClient


def run(form: str, url: str, token: str, actor: str) -> None:
    client = ApifyClient(token, api_url=url)
    if form == "call":
        ended = client.actor(actor).call(logger=None)
    else:
        ended = client.run(client.actor(actor).start().id).wait_for_finish()
    rows = sum(1 for _ in client.dataset(ended.default_dataset_id).iterate_items())
    sys.stdout.write(f"{actor} {rows}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    form, url, token, *actors = sys.argv[1:]
    forks = multiprocessing.get_context("fork")  # the client is imported once
    processes = [forks.Process(target=run, args=(form, url, token, actor)) for actor in actors]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
