"""Hatchling's hook: builds the native engine's library, for wheels and editable installs alike."""

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeLibrary(BuildHookInterface):
    """Without a compiler the wheel is pure Python."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and mark the wheel with the platform; ctypes calls the library, so any Python will do."""
        native = Path(self.root, "src", "tauten", "native")
        build = runpy.run_path(str(native / "build.py"))
        build["build"](self.app.display_warning)
        if any(build["path"](variant).exists() for variant in build["variants"]()):
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data |= {"pure_python": False, "tag": f"py3-none-{platform}"}
