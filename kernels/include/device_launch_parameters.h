// <device_launch_parameters.h>: what kernels use of it is built into NVRTC.
