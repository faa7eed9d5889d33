"""Fat binaries: containers of PTX and cubins, as nvcc, fatbinary and nvFatbin write them."""

import struct

import numpy as np
import pytest
from runcu import InOut, compiler, driver

PTX = """
.version 6.4
.target sm_{arch}
.address_size 64
.visible .const .align 4 .u32 factor = {arch};
.visible .entry _Z5scalePj(.param .u64 p)
{{
    .reg .u32 %r<4>;
    .reg .u64 %rd<3>;
    ld.param.u64 %rd1, [p];
    cvta.to.global.u64 %rd2, %rd1;
    ld.global.u32 %r1, [%rd2];
    ld.const.u32 %r2, [factor];
    mul.lo.u32 %r3, %r1, %r2;
    st.global.u32 [%rd2], %r3;
    ret;
}}
"""
IS_LZ4, IS_ZSTD = 0x2000, 0x8000


def plain(data):
    return 0, data, 0


def lz4(data):
    """Literals, a repetition, literals: the padding of blanks is what is repeated."""

    def length(n):
        return bytes([255] * ((n - 15) // 255) + [(n - 15) % 255]) if n >= 15 else b''

    start, blanks, rest = data[:-40], 20, data[-20:]
    assert data[-40:-20] == b' ' * blanks
    first = start + b' '
    packed = bytes([0xFF]) + length(len(first)) + first
    packed += struct.pack('<H', 1) + length(blanks - 1 - 4)
    packed += bytes([0xF0]) + length(len(rest)) + rest
    return IS_LZ4, packed, len(data)


def zstd(data):
    """A frame of one raw block."""
    block = struct.pack('<I', 1 | len(data) << 3)[:3]
    frame = b'\x28\xb5\x2f\xfd\xa0' + struct.pack('<I', len(data)) + block + data
    return IS_ZSTD, frame, len(data)


def entry(kind, arch, packed, version=(6, 4)):
    flags, data, size = packed
    header = struct.pack(
        '<HHIQIIHHIIIQQQ',
        kind, 0x101, 88, len(data) + -len(data) % 8, len(data) if flags else 0, 72,
        version[1], version[0], arch, 64, 5, 0x11 | flags, 0, size,
    )  # fmt: skip
    header += b'ident\0\0\0' + struct.pack('<QQ', 80, 0)
    assert len(header) == 88
    return header + data + bytes(-len(data) % 8)


def fatbin(*entries):
    body = b''.join(entries)
    return struct.pack('<IHHQ', 0xBA55ED50, 1, 16, len(body)) + body


def ptx(arch, pack=plain):
    text = PTX.format(arch=arch).encode() + b' ' * 20 + b'// the end of it...\0'
    return entry(1, arch, pack(text))


def scaled(module):
    x = np.array([3], np.uint32)
    module.get_function('scale')(InOut(x), block=(1, 1, 1))
    return x[0]


@pytest.mark.parametrize('pack', [plain, lz4, zstd])
def test_ptx_in_a_fat_binary_runs(device, pack):
    module = driver.module_from_buffer(fatbin(ptx(75, pack)))
    assert scaled(module) == 225
    assert module.kernel_names == ['scale']
    assert module.globals['factor'][()] == 75


def test_from_a_file(device, tmp_path):
    path = tmp_path / 'kernels.fatbin'
    path.write_bytes(fatbin(ptx(75, lz4)))
    assert scaled(driver.module_from_file(str(path))) == 225


def test_the_highest_that_the_device_runs_is_taken(device):
    own = int('{}{}'.format(*device.compute_capability()))
    module = driver.module_from_buffer(fatbin(ptx(50), ptx(75), ptx(70), ptx(own + 1)))
    assert scaled(module) == 225


def test_a_cubin_beside_ptx_does_not_matter_without_a_gpu():
    with driver.device('cpu'):
        image = fatbin(entry(2, 90, plain(b'\x7fELF' + bytes(60))), ptx(75))
        assert scaled(driver.module_from_buffer(image)) == 225


@pytest.mark.parametrize(
    ('entries', 'text'),
    [
        ([entry(2, 90, plain(b'\x7fELF' + bytes(60)))], 'holds no PTX'),
        ([ptx(120)], 'RUNCU_CPU_ARCH=120'),
        ([], 'holds no PTX'),
        ([entry(1, 75, (IS_LZ4, b'\xf0\xff\xff', 100))], 'damaged'),
        ([entry(1, 75, (IS_ZSTD, b'no frame of zstd', 100))], 'damaged|libzstd'),
    ],
)
def test_what_the_cpu_device_cannot_run_is_refused_with_a_reason(entries, text):
    with driver.device('cpu'), pytest.raises(driver.Error, match=text):
        driver.module_from_buffer(fatbin(*entries))


def test_a_cubin_on_the_cpu_device_is_refused_with_a_way_out():
    with driver.device('cpu'):
        program = compiler.Program(
            source='__global__ void k() {}', arch='sm_90', no_device=True, options=[]
        )
        with pytest.raises(driver.Error, match="compute_75 in place of sm_XX.*target='ptx'"):
            driver.module_from_buffer(program.cubin)


def test_a_cut_fat_binary_is_refused(device):
    image = fatbin(ptx(75))
    for size in (4, 15, 16, 60, 100, len(image) - 8):
        with pytest.raises(driver.Error, match='cut off'):
            driver.module_from_buffer(image[:size])
    for size in (4, 40, 63):
        with pytest.raises(driver.Error, match='cut off'):
            driver.module_from_buffer((b'\x7fELF\2\1' + bytes(60))[:size])
    with pytest.raises(driver.Error, match='empty'):
        driver.module_from_buffer(b'')
