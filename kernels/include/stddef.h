// <stddef.h>: size_t, ptrdiff_t and wchar_t are built into NVRTC.
//: offsetof
#define offsetof(type, member) ((size_t) __INTADDR__(&(((type *) 0)->member)))
//: max_align_t
typedef struct { long long whole; double real; } max_align_t;
