"""A TCP port of the embedded Valkey, for services in containers and other languages: with a password, kept in the home.

Its socket needs the same password from then on: Valkey knows no difference between the two.
"""

import secrets
from urllib.parse import quote

from actorline.host.private_folder import private_opener
from actorline.host.stack_home import PASSWORD_FILE
from actorline.settings import Settings

PORT_CONFIGURATION = "valkey-port.conf"


def port_options(settings: Settings, host: str, port: int) -> list[str]:
    """Return Valkey's options for the port; 0: none, but with the password if the home has one.

    The password is in a file that only the user can read: in a command line others could.
    """
    file = settings.home / PASSWORD_FILE
    if port and not file.exists():
        with open(file, "x", opener=private_opener) as made:
            made.write(f"{secrets.token_urlsafe(24)}\n")
    if not file.exists():
        return []
    configuration = settings.home / PORT_CONFIGURATION
    lines = [f"requirepass {file.read_text().strip()}", *([f"bind {host}", f"port {port}"] if port else [])]
    with open(configuration, "w", opener=private_opener) as made:
        made.write("\n".join(lines) + "\n")
    return ["--include", str(configuration)]


def port_addresses(settings: Settings, host: str, port: int) -> tuple[str, str]:
    """Return the addresses of broker and results at the port."""
    password = quote((settings.home / PASSWORD_FILE).read_text().strip(), safe="")
    base = f"redis://:{password}@{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - where it listens
    return f"{base}/0", f"{base}/1"
