"""The name by which Actorline introduces itself to each server; a start's also has a marker: `platform/marker.py`."""

from typing import Final

from actorline import __version__

USER_AGENT: Final = f"actorline/{__version__}"
