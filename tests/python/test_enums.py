"""Enumerations: manners that programs rely on, and CUDA's own numbers."""

import pathlib
import pickle
import re
import sys

import pytest
from runcu import driver

ENUMS = {
    'address_mode': 'CU_TR_ADDRESS_MODE_',
    'array3d_flags': 'CUDA_',
    'array_cubemap_face': 'CU_CUBEMAP_FACE_',
    'array_format': 'CU_AD_FORMAT_',
    'compute_mode': 'CU_COMPUTEMODE_',
    'ctx_flags': 'CU_CTX_',
    'device_attribute': 'CU_DEVICE_ATTRIBUTE_',
    'event_flags': 'CU_EVENT_',
    'filter_mode': 'CU_TR_FILTER_MODE_',
    'func_cache': 'CU_FUNC_CACHE_',
    'function_attribute': 'CU_FUNC_ATTRIBUTE_',
    'graphics_register_flags': 'CU_GRAPHICS_REGISTER_FLAGS_',
    'host_alloc_flags': 'CU_MEMHOSTALLOC_',
    'ipc_mem_flags': 'CU_IPC_MEM_',
    'jit_fallback': 'CU_',
    'jit_input_type': 'CU_JIT_INPUT_',
    'jit_option': 'CU_JIT_',
    'jit_target': 'CU_TARGET_',
    'limit': 'CU_LIMIT_',
    'mem_advise': 'CU_MEM_ADVISE_',
    'mem_attach_flags': 'CU_MEM_ATTACH_',
    'mem_host_register_flags': 'CU_MEMHOSTREGISTER_',
    'memory_type': 'CU_MEMORYTYPE_',
    'pointer_attribute': 'CU_POINTER_ATTRIBUTE_',
    'profiler_output_mode': 'CU_OUT_',
    'resource_view_format': 'CU_RES_VIEW_FORMAT_',
    'shared_config': 'CU_SHARED_MEM_CONFIG_',
    'stream_flags': 'CU_STREAM_',
}
# Gone from today's cuda.h, or short for names that are in it.
ONLY_HERE = {
    'compute_mode.EXCLUSIVE',
    'array3d_flags.2DARRAY',
    'array3d_flags.LAYERED',
    'array3d_flags.SURFACE_LDST',
    'array3d_flags.CUBEMAP',
    'array3d_flags.TEXTURE_GATHER',
    'profiler_output_mode.KEY_VALUE_PAIR',
    'profiler_output_mode.CSV',
}


def members():
    return [(name, member) for name in ENUMS for member in getattr(driver, name).names]


def test_every_enumeration_is_in_the_table():
    found = {n for n, v in vars(driver).items() if isinstance(v, type) and hasattr(v, 'values')}
    assert found - {'Enum'} == set(ENUMS)


@pytest.mark.parametrize('name', ENUMS)
def test_manners(name):
    enum = getattr(driver, name)
    assert enum.__name__ == name and enum.__module__ == 'runcu.driver' and enum.__doc__
    for member_name, member in enum.names.items():
        assert str(member) == member.name == member_name
        assert repr(member) == f'runcu.driver.{name}.{member_name}'
        assert isinstance(member, int) and f'{int(member)}' == str(int(member))
        assert pickle.loads(pickle.dumps(member)) == member
        assert enum(int(member)) is enum.values[int(member)]
        assert {member: 1}[int(member)] == 1
    assert sorted(enum.values.values()) == sorted(set(enum.names.values()))
    with pytest.raises(ValueError, match=name):
        enum(123456789)


def test_flags_combine_to_plain_ints():
    flags = driver.ctx_flags
    both = flags.SCHED_SPIN | flags.MAP_HOST
    assert both == 9 and type(both) is int
    assert driver.array3d_flags.ARRAY3D_2DARRAY == driver.array3d_flags.ARRAY3D_LAYERED == 1


def numbers_of(header):
    """All constants of cuda.h by name."""
    text = re.sub(r'/\*.*?\*/|//[^\n]*', '', header.read_text(errors='replace'), flags=re.S)
    found = {}
    for name, value in re.findall(r'#define (CU\w+)[ \t]+(-?(?:0x)?[0-9a-fA-F]+)\b', text):
        found[name] = int(value, 0)
    for body in re.findall(r'typedef enum \w+\s*\{(.*?)\}', text, re.S):
        last = -1
        for item in re.sub(r'^\s*#.*$', '', body, flags=re.M).split(','):
            name, _, value = (' '.join(part.split()) for part in item.partition('='))
            if not name:
                continue
            value = re.sub(r'(?<=\d)[uU]', '', value)
            last = eval(value, {}, found) if value else last + 1
            found[name] = last
    return found


@pytest.fixture(scope='module')
def cuda_h():
    places = [pathlib.Path(p, 'nvidia', 'cu13', 'include', 'cuda.h') for p in sys.path]
    header = next((p for p in places if p.exists()), None)
    if header is None:
        pytest.skip('the wheel with cuda.h is not installed (extra "test")')
    return numbers_of(header)


def test_numbers_are_cudas(cuda_h):
    is_old = cuda_h['CUDA_VERSION'] < 13050  # then it does not know them all
    wrong = []
    for name, member in members():
        number, c_name = int(getattr(driver, name).names[member]), ENUMS[name] + member
        is_known = f'{name}.{member}' not in ONLY_HERE and not (is_old and c_name not in cuda_h)
        if is_known and cuda_h.get(c_name) != number:
            wrong.append(f'{name}.{member}')
    # The last one is the number of attributes, which every version raises.
    assert [w for w in wrong if w != 'function_attribute.MAX'] == []


def test_nothing_is_missing(cuda_h):
    """What cuda.h has beyond formats of video and of compressed blocks, which few arrays have."""
    own = set(ENUMS) - {'array3d_flags', 'array_format', 'event_flags', 'jit_fallback'}
    own -= {'stream_flags'}
    ignored = re.compile(r'_MAX$|_NUM_|_JIT_INPUT_|RECORD|WAIT|SCHED_RR|CACHE_OPTION|ACCESS_FLAG_')
    missing = [
        c_name
        for c_name in cuda_h
        for name in own
        if c_name.startswith(ENUMS[name])
        and c_name[len(ENUMS[name]) :] not in getattr(driver, name).names
        and not ignored.search(c_name)
    ]
    assert missing == []


# --- what devices answer ---


def test_every_attribute_is_answered(device, recwarn):
    attributes = device.get_attributes()
    ids = {int(a) for a in attributes}
    for name, attribute in driver.device_attribute.names.items():
        if int(attribute) in ids and name != 'PCI_BUS_ID':  # pci_bus_id() is a method
            value = getattr(device, name.lower())
            assert value == device.get_attribute(attribute) == attributes[attribute]
            assert isinstance(value, int)
    assert not recwarn.list
    # A driver older than the table does not know them all.
    asked = set(driver.device_attribute.values)
    assert asked - ids < set(range(130, 1000))
    if device.is_cpu:
        assert ids == asked


def test_attributes_agree_with_each_other(device):
    d = device
    assert d.compute_capability() == (d.compute_capability_major, d.compute_capability_minor)
    assert d.warp_size == 32 and d.max_threads_per_block == 1024
    assert d.max_threads_per_multiprocessor % d.warp_size == 0
    assert d.shared_memory_per_block == d.max_shared_memory_per_block == 48 << 10
    optin, whole = d.max_shared_memory_per_block_optin, d.max_shared_memory_per_multiprocessor
    assert 48 << 10 <= optin <= whole
    assert d.registers_per_block == d.max_registers_per_block <= d.max_registers_per_multiprocessor
    assert d.multiprocessor_count >= 1 and d.total_constant_memory == 64 << 10
    assert d.unified_addressing == 1 and d.gpu_overlap in (0, 1)
    assert isinstance(d.compute_mode, driver.compute_mode)
    assert d.get_attribute(driver.device_attribute.COMPUTE_MODE).name in driver.compute_mode.names


def test_unknown_attributes(device):
    with pytest.raises(AttributeError, match='nonsense'):
        _ = device.nonsense
    with pytest.raises(driver.LogicError, match='cuDeviceGetAttribute failed: invalid argument'):
        device.get_attribute(100000)
    for wrong in ('WARP_SIZE', None, 1.5):
        with pytest.raises(TypeError):
            device.get_attribute(wrong)
    with pytest.raises(TypeError):
        device.get_attribute()


# --- versions, profiler ---


def test_versions(device):
    assert driver.get_version() >= (4,) and len(driver.get_version()) == 3
    version = driver.get_driver_version()
    assert version // 1000 >= 12 and isinstance(version, int)
    if device.is_cpu:
        assert version == 13000


def test_the_profiler(device):
    driver.start_profiler()
    driver.stop_profiler()
    with pytest.raises(driver.LogicError, match='cuProfilerInitialize.*CUDA 12') as caught:
        driver.initialize_profiler('config', 'out', driver.profiler_output_mode.CSV)
    assert caught.value.code == 801 and caught.value.name == 'CUDA_ERROR_NOT_SUPPORTED'
    with pytest.raises(TypeError):
        driver.initialize_profiler('config')
    with pytest.raises(ValueError):
        driver.initialize_profiler('config', 'out', 7)
    assert driver.have_gl_ext() is False
