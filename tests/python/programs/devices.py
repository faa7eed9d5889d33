"""Lists the devices, as every tutorial's first program does."""

import pycuda
import pycuda.driver as cuda

cuda.init()
assert pycuda.VERSION >= (2011, 1)
assert cuda.get_version() >= (4,)
print(f'CUDA driver {cuda.get_driver_version()}, {cuda.Device.count()} device(s)')

for ordinal in range(cuda.Device.count()):
    dev = cuda.Device(ordinal)
    print(f'Device #{ordinal}: {dev.name()}')
    print('  Compute Capability: {}.{}'.format(*dev.compute_capability()))
    print(f'  Total Memory: {dev.total_memory() // 1024} KB')
    assert cuda.Device(dev.pci_bus_id()) == dev and hash(dev) == hash(cuda.Device(ordinal))

    attributes = [(str(name), value) for name, value in dev.get_attributes().items()]
    attributes.sort()
    for name, value in attributes:
        print(f'  {name}: {value}')
    known = dict(attributes)
    assert known['WARP_SIZE'] == dev.warp_size == 32
    assert known['MAX_THREADS_PER_BLOCK'] == dev.get_attribute(
        cuda.device_attribute.MAX_THREADS_PER_BLOCK
    )
    assert str(dev.get_attribute(cuda.device_attribute.COMPUTE_MODE)) in cuda.compute_mode.names

    ctx = dev.make_context(cuda.ctx_flags.SCHED_AUTO | cuda.ctx_flags.MAP_HOST)
    free, total = cuda.mem_get_info()
    assert 0 < free <= total and total <= dev.total_memory()
    assert ctx.get_device() == dev and cuda.Context.get_current() == ctx
    cuda.Context.set_limit(cuda.limit.STACK_SIZE, 4096)
    assert cuda.Context.get_limit(cuda.limit.STACK_SIZE) >= 4096
    ctx.pop()
    ctx.detach()
print('ok')
