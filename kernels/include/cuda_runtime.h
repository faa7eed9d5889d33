// <cuda_runtime.h>: what kernels use of it is built into NVRTC.
