"""As `autoinit`: the default device's primary context, current until the process ends.

Attributes
----------
device : runcu.driver.Device
context : runcu.driver.Context
"""

from .autoinit import context, device

__all__ = ['context', 'device']
