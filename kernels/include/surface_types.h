// <surface_types.h>: what kernels use of it is built into NVRTC.
