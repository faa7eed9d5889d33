"""Modules and kernels travel to other processes, by source or image."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest
import runcu
from runcu import InOut, SourceModule, compiler, driver

SOURCE = """
#include "scale.h"
__constant__ int factor = 3;
__global__ void scale(int *x) { x[threadIdx.x] *= FACTOR * factor; }
"""
TEMPLATE = 'template <class T> __global__ void add(T *x, T n) { x[threadIdx.x] += n; }'


def run(kernel, *args, block=(2, 1, 1)):
    x = np.array([1, 2], np.int32)
    kernel(InOut(x), *args, block=block)
    return x.tolist()


@pytest.fixture
def mod(device):
    return SourceModule(SOURCE, headers={'scale.h': '#define FACTOR SIZE'}, options=['-DSIZE=2'])


def test_a_source_module_pickles_with_options_and_headers(mod):
    mod.note = 'kept'
    assert run(mod.scale) == [6, 12]
    mod.globals['factor'][...] = 5  # contents are not code
    other = pickle.loads(pickle.dumps(mod))
    assert type(other) is SourceModule
    assert other.note == 'kept'
    assert run(other.scale) == [6, 12]
    assert run(mod.scale) == [10, 20]
    assert other.module.handle != mod.module.handle
    assert other.globals['factor'].dtype == np.int32


def test_kernels_pickle(mod):
    kernel = pickle.loads(pickle.dumps(mod.scale))
    assert kernel.signature == 'scale(int *)'
    assert run(kernel) == [6, 12]
    assert isinstance(kernel.module, driver.Module)


def test_a_prepared_kernel_stays_prepared(mod):
    kernel = pickle.loads(pickle.dumps(mod.get_function('scale').prepare('P')))
    x = driver.to_device(np.array([1, 2], np.int32))
    kernel.prepared_call((1, 1), (2, 1, 1), x)
    assert driver.from_device(x, 2, np.int32).tolist() == [6, 12]


def test_instances_of_templates_pickle(device):
    mod = SourceModule(TEMPLATE)
    kernel = mod.get_function('add<int>')
    assert run(pickle.loads(pickle.dumps(kernel)), 4) == [5, 6]
    assert run(pickle.loads(pickle.dumps(mod)).get_function('add<int>'), 4) == [5, 6]
    mod = SourceModule(TEMPLATE, name_expressions=['add<int>'])
    assert run(pickle.loads(pickle.dumps(mod)).get_function('add<int>'), 4) == [5, 6]


def test_modules_from_images_pickle_by_their_image(device, tmp_path):
    code = compiler.compile(TEMPLATE + '__global__ void k(int *x) { *x = 7; }', no_extern_c=True)
    for module in (
        driver.module_from_buffer(code),
        compiler.compile_bundle('__global__ void k(int *x) { *x = 7; }', ['compute_75']).load(),
    ):
        other = pickle.loads(pickle.dumps(module))
        assert run(other.get_function('k')) == [7, 2]
        assert run(pickle.loads(pickle.dumps(module.get_function('k')))) == [7, 2]


def test_linked_modules_pickle(device):
    mod = compiler.DynamicModule()
    mod.add_source('__device__ int seven() { return 7; }')
    mod.add_source('__device__ int seven(); __global__ void k(int *x) { *x = seven(); }')
    mod.link()
    assert run(pickle.loads(pickle.dumps(mod)).get_function('k')) == [7, 2]


def test_modules_of_other_libraries_do_not(mod):
    foreign = driver.Module.from_handle(mod.module.handle, owner=mod)
    with pytest.raises(driver.Error, match='another library'):
        pickle.dumps(foreign)


def test_copies_are_the_same_code(mod):
    assert copy.copy(mod.module) is mod.module
    assert copy.deepcopy([mod.scale])[0] is mod.scale
    assert copy.deepcopy(mod).module is mod.module


@pytest.mark.parametrize('size', [0, 7, 8, 16, 24, 100])
def test_damaged_bytes_are_refused(mod, size):
    saved = mod.module.save()
    with pytest.raises(driver.ArgumentError):
        runcu._core.module_restore(saved[:size])
    with pytest.raises(TypeError):
        runcu._core.module_restore('text')


def test_every_cut_is_refused_or_harmless(device):
    saved = driver.module_from_buffer(
        b'.version 6.4\n.target sm_75\n.address_size 64\n.visible .entry k()\n{\n ret;\n}\n\0'
    ).save()
    for size in range(0, len(saved) - 8, 3):
        with pytest.raises(driver.Error):
            runcu._core.module_restore(saved[:size])


def in_another_process(device, module, kernel):
    with runcu.device(device):
        module, kernel = pickle.loads(module), pickle.loads(kernel)
        return run(module.scale), run(kernel, 4)


def test_they_work_in_a_spawned_process(device_name):
    with runcu.device(device_name):
        mod = SourceModule(SOURCE, headers={'scale.h': '#define FACTOR 2'})
        kernel = SourceModule(TEMPLATE).get_function('add<int>')
        context = multiprocessing.get_context('spawn')
        with context.Pool(1) as pool:
            got = pool.apply_async(
                in_another_process, (device_name, pickle.dumps(mod), pickle.dumps(kernel))
            ).get(60)
    assert got == ([6, 12], [5, 6])
