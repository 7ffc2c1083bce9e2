# ruff: noqa: INP001 - hatchling loads it as a file, not from a package
"""The build hook of the SDK: the server's protocol room under the SDK's own name.

Both distributions hold the room. In a checkout it is one folder, and `wxclient/_protocol` a link to
it, made here and not kept by git, for not every way to hand on a source tree keeps links. An sdist
has the files themselves in that place.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOM = Path("../../../../src/wxserve/protocol")


class ProtocolRoom(BuildHookInterface):
    """Make the link before anything is built from a checkout, or installed from it as editable."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Link the room, unless it is there. Raises FileNotFoundError outside a whole checkout."""
        del version, build_data
        link = Path(self.root, "src/wxclient/_protocol")
        if link.is_dir():
            return
        (link.parent / _ROOM).resolve(strict=True)
        link.unlink(missing_ok=True)
        link.symlink_to(_ROOM, target_is_directory=True)
