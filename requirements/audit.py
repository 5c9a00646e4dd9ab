"""Ask for known holes in what the image is made of: exit code 1 if there is one.

Where the advisories can't be had, such as without a network, that is said; it says nothing about the releases.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

LOCK: Final = Path(__file__).with_name("image.txt")


def main() -> int:
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", LOCK, "--require-hashes", "--disable-pip",
        "--progress-spinner", "off", "--format", "json",
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        releases = json.loads(done.stdout)["dependencies"]
    except ValueError:
        *_, why = done.stderr.strip().splitlines() or ["no reason given"]
        sys.stdout.write(f"NOT AUDITED: {why}\n")
        return 0
    text, code = verdict(releases)
    sys.stdout.write(text + "\n")
    return code


def verdict(releases: list[dict[str, Any]]) -> tuple[str, int]:
    """Return what was found, and the exit code."""
    holes = [
        f"{release['name']} {release['version']}: {hole['id']}, "
        f"fixed in {', '.join(hole['fix_versions']) or 'no release'}"
        for release in releases
        for hole in release.get("vulns", [])
    ]
    unknown = sum("skip_reason" in release for release in releases)
    if holes:
        return "\n".join(holes), 1
    if unknown == len(releases):
        return f"NOT AUDITED: no advisories could be read for any of {unknown} releases (is there a network?)", 0
    missing = f"; no advisories could be read for {unknown}" if unknown else ""
    return f"No known hole in {len(releases) - unknown} releases{missing}", 0


if __name__ == "__main__":
    sys.exit(main())
