// <sm_30_intrinsics.h>: what kernels use of it is built into NVRTC.
