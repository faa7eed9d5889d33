// <vector_functions.h>: what kernels use of it is built into NVRTC.
