"""Importing this makes a context of the default device current until the process ends.

The context is the device's primary one, shared with torch, CuPy and the CUDA runtime.

Attributes
----------
device : runcu.driver.Device
context : runcu.driver.Context
"""

from __future__ import annotations

import atexit

from . import driver
from .tools import clear_context_caches, make_default_context

driver.init()


def _primary(device: driver.Device) -> driver.Context:
    made = device.retain_primary_context()
    made.push()
    return made


context = make_default_context(_primary)
device = context.device


def _finish() -> None:
    """Waits for the context's work, so that what kernels print appears, and pops it."""
    if context.is_alive:
        if driver.Context.get_current() == context:
            driver.Context.synchronize()
            driver.Context.pop()
    clear_context_caches()


atexit.register(_finish)
