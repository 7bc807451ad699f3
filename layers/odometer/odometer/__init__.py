"""Odometer: exact answers to who used what, how much, and when."""

import gc
import sys
from types import ModuleType

__version__ = "0.1.0"

gc.set_threshold(100_000)  # twice what a start makes: it stays, and looking through it takes time

NO_PLUGINS = ModuleType("pydantic.plugin._loader")
"""In place of what looks through every installed package for plugins of pydantic."""
vars(NO_PLUGINS)["get_plugins"] = tuple
sys.modules[NO_PLUGINS.__name__] = NO_PLUGINS
