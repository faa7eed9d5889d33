// <device_atomic_functions.h>: what kernels use of it is built into NVRTC.
