"""Start the frozen program once as on a stranger's machine: python packaging/check.py FOLDER.

FOLDER (what PyInstaller made) is copied to a temporary place and started there with --self-test: from an empty
folder, with an empty home, with nothing of this environment, and, where the system allows it, with the source tree
hidden.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
PATIENCE = 900
HIDE = 'mount -t tmpfs none "$0" && exec "$@"'


def hiding() -> list[str]:
    """Give the command that starts another one in a view of the disk without the source tree; [] if there is none."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return []
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", "--mount", *rights, "sh", "-c", HIDE, str(ROOT)]
    tried = subprocess.run(
        [*command, "test", "!", "-e", str(ROOT / "pyproject.toml")], capture_output=True, check=False
    )
    return command if tried.returncode == 0 else []


def main() -> int:
    """Check it; return what the program returns."""
    made = Path(sys.argv[1])
    size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file() and not file.is_symlink())
    with tempfile.TemporaryDirectory(prefix="elsewhere-") as place:
        bundle, home, empty = Path(place) / "bundle", Path(place) / "home", Path(place) / "empty"
        shutil.copytree(made, bundle, symlinks=True)
        home.mkdir()
        empty.mkdir()
        hidden = hiding()
        print(f"{size / 1e6:.0f} MB, started elsewhere, the source tree {'hidden' if hidden else 'still there'}")
        done = subprocess.run(
            [*hidden, str(bundle / "ace-desktop"), "--self-test"],
            cwd=empty,
            env={"HOME": str(home), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"},
            timeout=PATIENCE,
            check=False,
        )
        left = sorted(file.name for file in empty.iterdir())
        if left:
            print(f"FAILED  it left {', '.join(left)} in the folder that it was started from")
        return done.returncode or int(bool(left))


if __name__ == "__main__":
    sys.exit(main())
