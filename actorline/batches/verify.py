"""A batch checked against its manifest: that each input has its member, and each member's delivery as any other."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import zip_longest

from actorline.batches.delivery import BatchDelivery
from actorline.batches.inputs.input_file import FOLDER, LINES, InputFile
from actorline.batches.manifest import BatchTotals
from actorline.delivery.read_back import DamagedDelivery, NoDelivery
from actorline.delivery.sink import MANIFEST, SUCCESS
from actorline.delivery.verify import DeliveryProblem, verify
from actorline.jobs.member_key import DIGITS
from actorline.jobs.states import State


def verify_batch(delivery: BatchDelivery, progress: Callable[[int], None]) -> Iterator[DeliveryProblem]:
    """Yield everything that isn't as the manifest says. `progress`: see `verify`. Raises SinkError."""
    manifest, totals = delivery.manifest, BatchTotals()
    inputs = InputFile(manifest.sink.url).lines()
    for number, (line, member) in enumerate(zip_longest(inputs, manifest.members())):
        if member is None or line is None or member.number != number:
            yield DeliveryProblem(MANIFEST, f"and {FOLDER}{LINES} differ at the input {number:,}")
            return
        totals.add(member)
        folder = f"{number:0{DIGITS}d}/"
        if hashlib.sha256(line).hexdigest() != member.input_sha256:
            yield DeliveryProblem(f"{FOLDER}{LINES}", f"has another input {number:,} than the manifest says")
        if manifest.tail.complete and member.state != State.DELIVERED:
            yield DeliveryProblem(folder, f"is {member.state}, but the manifest says that all is delivered")
        if member.manifest:
            try:
                one = delivery.open_member(number, sha256=member.manifest_sha256)
                for problem in verify(one, progress):
                    yield DeliveryProblem(folder + problem.file, problem.text)
            except (DamagedDelivery, NoDelivery) as error:
                yield DeliveryProblem(folder + MANIFEST, str(error))
    if totals != manifest.tail.totals:
        yield DeliveryProblem(MANIFEST, "says other totals than its members add up to")
    if manifest.sink.exists(SUCCESS) is not manifest.tail.complete:
        yield DeliveryProblem(SUCCESS, "is missing" if manifest.tail.complete else "exists, although rows are missing")
