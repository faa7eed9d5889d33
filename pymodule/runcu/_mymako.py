"""Mako's `Template` for generated kernels (`pycuda._mymako`)."""

try:
    from mako.template import Template
except ImportError as e:
    raise ImportError(
        'templates of kernels need the package mako: pip install mako, or runcu[pycuda]'
    ) from e

__all__ = ['Template']
