// <assert.h>: assert is built into NVRTC, which knows of NDEBUG only if an option sets it.
#ifdef NDEBUG
#undef assert
#define assert(condition) ((void) 0)
#endif
