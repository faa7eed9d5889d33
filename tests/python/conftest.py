"""Every test that takes `device` runs on the CPU device and, where there is one, on the GPU.

Tests in other processes run through `python`, which gives back what the process said.
"""

import os
import subprocess
import sys
import textwrap

import pytest
import runcu
from runcu import driver


def _has_gpu():
    if os.environ.get('RUNCU_TEST_DEVICES') == 'cpu':
        return False
    try:
        return driver.Device.count('cuda') > 0
    except driver.Error:
        return False


DEVICES = ['cpu', *(['cuda'] if _has_gpu() else [])]


@pytest.fixture(params=DEVICES)
def device(request):
    """A device whose primary context is current."""
    with runcu.device(request.param) as current:
        yield current
        driver.Context.synchronize()


@pytest.fixture(params=DEVICES)
def device_name(request):
    """The name of a device, for other processes."""
    return request.param


@pytest.fixture
def python(tmp_path):
    """Runs a program in a process of its own: python(source, *args, device='cpu')."""

    def run(source, *args, device='cpu', check=True, options=(), timeout=60, **env):
        program = tmp_path / 'program.py'
        program.write_text(textwrap.dedent(source))
        done = subprocess.run(
            [sys.executable, *options, str(program), *args],
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=tmp_path,
            env={**os.environ, 'RUNCU_DEVICE': device, **env},
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run
