// <string.h>: memcpy and memset are built into NVRTC; device code has nothing else of it.
