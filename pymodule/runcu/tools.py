"""Help around contexts, in the shape of `pycuda.tools`."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from typing import Any

from . import driver

__all__ = [
    'clear_context_caches',
    'context_dependent_memoize',
    'context_dependent_memoized_functions',
    'get_default_device',
    'make_default_context',
]


def get_default_device(default: int = 0) -> driver.Device:
    """The device that CUDA_DEVICE or ~/.cuda_device names, else the one numbered `default`."""
    chosen = driver.Device()
    return chosen if chosen.ordinal else driver.Device(default)


def make_default_context(
    ctx_maker: Callable[[driver.Device], driver.Context] | None = None,
) -> driver.Context:
    """A context of the default device, made current.

    The device is what CUDA_DEVICE or ~/.cuda_device names, else the first one on which a context
    can be made.

    Parameters
    ----------
    ctx_maker : callable, optional
        Makes a context of a Device and pushes it; by default `Device.make_context`.

    Raises
    ------
    RuntimeError
        There is no device, or none on which a context can be made.
    """
    import os

    make = ctx_maker or driver.Device.make_context
    chosen = driver.Device()
    if chosen.ordinal or 'CUDA_DEVICE' in os.environ:
        return make(chosen)
    failures = []
    for i in range(driver.Device.count()):
        try:
            return make(driver.Device(i))
        except driver.Error as e:
            failures.append(f'device {i}: {e}')
    if failures:
        raise builtins.RuntimeError('No context could be made: ' + '; '.join(failures))
    raise builtins.RuntimeError('No CUDA enabled device found. Please check your installation.')


context_dependent_memoized_functions: list[Any] = []


def context_dependent_memoize(func: Callable[..., Any]) -> Callable[..., Any]:
    """Remembers the results of a function, for each context its own.

    Arguments must be hashable. The memory is emptied by `clear_context_caches`.
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        context = driver.Context.get_current()
        key = (args, tuple(sorted(kwargs.items())))
        results = wrapper._results.setdefault(context, {})  # type: ignore[attr-defined]
        try:
            return results[key]
        except KeyError:
            result = results[key] = func(*args, **kwargs)
            return result

    wrapper._results = {}  # type: ignore[attr-defined]
    context_dependent_memoized_functions.append(wrapper)
    return wrapper


def clear_context_caches() -> None:
    """Forgets the results of all functions under `context_dependent_memoize`."""
    for function in context_dependent_memoized_functions:
        function._results.clear()
