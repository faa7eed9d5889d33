"""These kernels and those of tests/ptx: what their comments say, their inputs, a run of each."""

import hashlib
import pathlib
import re
import zlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent
DIGESTS = FOLDER / 'h200.json'
TYPES = {
    'signed_char': 'i1', 'unsigned_char': 'u1', 'bool': '?', 'short': 'i2', 'unsigned_short': 'u2',
    'int': 'i4', 'unsigned': 'u4', 'long_long': 'i8', 'unsigned_long_long': 'u8',
    'float': 'f4', 'double': 'f8',
}
SPECIAL_FLOATS = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 3e9, -3e9,
                  1e19, -1e19, 6e-39, -1e-40, 1e-310, 3.4e38, -1.7e308]
SPECIAL_INTS = [0, 1, 2, 7, 31, 32, 33, 63, 64, 255, 256]


class Kernel:
    """One `.cu` or `.ptx` file: name, source, grid, block, shared (bytes), args, ulp."""

    def __init__(self, path):
        self.is_ptx = path.suffix == '.ptx'
        self.name = path.name if self.is_ptx else path.stem
        self.source = path.read_text()
        said = re.findall(r'^// (launch|arg|ulp): (.*)$', self.source, re.M)
        shape = next(text for key, text in said if key == 'launch').split()
        self.grid, self.block = (tuple(map(int, s.split('x'))) for s in shape[:2])
        self.block += (1,) * (3 - len(self.block))
        self.shared = int(shape[2]) if len(shape) > 2 else 0
        self.args = [text.split() for key, text in said if key == 'arg']
        self.ulp = max([int(text) for key, text in said if key == 'ulp'], default=0)

    def __repr__(self):
        return self.name

    def arguments(self):
        """Fresh arrays and scalars, the same everywhere, each with its direction or 'value'."""
        out = []
        for i, words in enumerate(self.args):
            if len(words) == 2:
                out.append(('value', np.dtype(TYPES[words[0]]).type(float(words[1]))))
            else:
                way, kind, count, how = words
                rng = np.random.RandomState(zlib.crc32(f'{self.name} {i}'.encode()))
                out.append((way, fill(np.dtype(TYPES[kind]), int(count), how, rng)))
        return out


def fill(dtype, count, how, rng):
    if how == 'zero':
        return np.zeros(count, dtype)
    if how == 'ones':
        return np.ones(count, dtype)
    if how == 'index':
        return np.arange(count).astype(dtype)
    if how == 'small':
        return rng.randint(0, 100, count).astype(dtype)
    if how == 'unit':
        return rng.random_sample(count).astype(dtype)
    if how == 'normal':
        return (rng.random_sample((12, count)).sum(0) - 6).astype(dtype)
    assert how == 'any', how
    bits = np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).copy()
    special = special_values(dtype)
    places = rng.randint(0, 3, count) == 0
    bits[places] = special[rng.randint(0, len(special), places.sum())]
    return bits


def special_values(dtype):
    if dtype.kind == 'f':
        with np.errstate(over='ignore', under='ignore'):
            return np.array(SPECIAL_FLOATS).astype(dtype)
    info = np.iinfo(dtype)
    own = [info.min, info.max, info.max - 1]
    return np.array([v for v in SPECIAL_INTS if v <= info.max] + own, dtype)


def run(kernel):
    """The outputs of the kernel on the current device: a list of arrays, NaNs made canonical."""
    import runcu
    from runcu import driver

    load = driver.module_from_buffer if kernel.is_ptx else runcu.SourceModule
    function = load(kernel.source.encode() if kernel.is_ptx else kernel.source).get_function('k')
    wrap = {'in': driver.In, 'out': driver.Out, 'inout': driver.InOut}
    arguments = kernel.arguments()
    function(*(value if way == 'value' else wrap[way](value) for way, value in arguments),
             grid=kernel.grid, block=kernel.block, shared=kernel.shared)
    driver.Context.synchronize()
    outputs = [value for way, value in arguments if way in ('out', 'inout')]
    for a in outputs:
        if a.dtype.kind == 'f':
            a[np.isnan(a)] = np.nan
    return outputs


def digest(outputs):
    return hashlib.sha256(b''.join(a.tobytes() for a in outputs)).hexdigest()[:32]


def distance(a, b):
    """Representable values between the elements of two float arrays; NaNs are 0 apart."""
    ints = np.dtype(f'i{a.dtype.itemsize}')

    def order(x):
        bits = x.view(ints).astype(np.int64)
        return np.where(bits < 0, np.iinfo(ints).min - bits, bits).astype(np.float64)

    far = np.abs(order(a) - order(b))
    return np.where(np.isnan(a) & np.isnan(b), 0, far)


def kernels():
    paths = [*FOLDER.glob('*.cu'), *(FOLDER.parent / 'ptx').glob('*.ptx')]
    return [Kernel(path) for path in sorted(paths)]
