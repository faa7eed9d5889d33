// <host_defines.h>: what kernels use of it is built into NVRTC.
