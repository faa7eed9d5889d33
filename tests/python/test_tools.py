"""runcu.tools: default contexts and what is remembered for each."""

import pytest
from runcu import driver, tools


def test_make_default_context(device_name, python):
    done = python(
        """
        import runcu.driver as cuda
        from runcu.tools import get_default_device, make_default_context
        context = make_default_context()
        assert cuda.Context.get_current() == context
        assert context != cuda.Device().retain_primary_context()
        assert get_default_device() == cuda.Device(0) == context.device
        made = []
        def maker(device):
            made.append(device)
            return device.make_context()
        other = make_default_context(maker)
        assert made == [cuda.Device(0)] and cuda.Context.get_current() == other
        other.pop(); other.detach()
        context.pop()
        """,
        device=device_name,
    )
    assert done.stderr == ''


def test_the_environment_chooses_the_device(python):
    done = python(
        """
        import runcu.driver as cuda, runcu.tools
        try:
            runcu.tools.make_default_context()
        except cuda.Error as e:
            print(e)
        """,
        CUDA_DEVICE='nonsense',
    )
    assert 'CUDA_DEVICE' in done.stdout and 'nonsense' in done.stdout


def test_failures_of_every_device_are_told(device):
    def refuse(dev):
        raise driver.RuntimeError('not this one')

    with pytest.raises(RuntimeError, match='not this one'):
        tools.make_default_context(refuse)


def test_results_are_remembered_for_each_context(device):
    calls = []

    @tools.context_dependent_memoize
    def compute(a, b=2):
        """Doc."""
        calls.append((a, b))
        return len(calls)

    assert compute.__doc__ == 'Doc.'
    assert compute(1) == compute(1) == 1
    assert compute(1, b=3) == 2
    context = device.make_context()
    assert compute(1) == 3
    context.pop()
    assert compute(1) == 1
    tools.clear_context_caches()
    assert compute(1) == 4
    context.detach()


def test_autoprimaryctx_is_the_shared_context(python, device_name):
    python(
        """
        import runcu.autoprimaryctx as auto, runcu.driver as cuda
        assert auto.context == auto.device.retain_primary_context()
        assert cuda.Context.get_current() == auto.context
        """,
        device=device_name,
    )
