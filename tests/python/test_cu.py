"""tests/cu: every kernel gives the same bits on every device, and those an H200 gave."""

import json
import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'cu'))

import runcu  # noqa: E402

import kernels  # noqa: E402


def gpus():
    return [d for d in runcu.devices() if not d.is_cpu]


@pytest.mark.parametrize('kernel', kernels.kernels(), ids=repr)
def test_cpu_device_matches_gpu(kernel):
    if not gpus():
        pytest.skip('no GPU here: test_cpu_device_matches_h200 compares with a recorded one')
    with runcu.device('cuda'):
        want = kernels.run(kernel)
    with runcu.device('cpu'):
        have = kernels.run(kernel)
    for w, h in zip(want, have, strict=True):
        if kernel.ulp and w.dtype.kind == 'f':
            assert kernels.distance(w, h).max() <= kernel.ulp
        else:
            np.testing.assert_array_equal(w, h)


@pytest.mark.parametrize('kernel', [k for k in kernels.kernels() if not k.ulp], ids=repr)
def test_cpu_device_matches_h200(kernel):
    want = json.loads(kernels.DIGESTS.read_text())
    with runcu.device('cpu'):
        assert kernels.digest(kernels.run(kernel)) == want[kernel.name]
