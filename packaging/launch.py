"""Where a frozen program begins: the same module as `python -m ace_desktop`, run as the main one."""

import runpy

runpy.run_module("ace_desktop", run_name="__main__", alter_sys=True)
