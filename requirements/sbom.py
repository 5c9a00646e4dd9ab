"""Write what the images are made of, by the locks that they are built from: bills of materials in CycloneDX."""

import subprocess
import sys
from pathlib import Path
from typing import Final

LOCKS: Final = {"sbom.json": ("image.txt",), "sbom-parquet.json": ("image.txt", "parquet.txt")}
HERE: Final = Path(__file__).parent


def main(folder: Path) -> int:
    folder.mkdir(exist_ok=True)
    for name, locks in LOCKS.items():
        text = "".join((HERE / lock).read_text() for lock in locks)
        command = [
            sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", "-",
            "--pyproject", str(HERE.parent / "pyproject.toml"), "--mc-type", "application", "--output-reproducible",
            "--output-format", "JSON", "--output-file", str(folder / name),
        ]  # fmt: skip
        subprocess.run(command, input=text, text=True, check=True)
        sys.stdout.write(f"{folder / name}: {text.count('==')} releases\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
