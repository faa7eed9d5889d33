// <stdlib.h>: malloc and free are built into NVRTC, abs is among its mathematics.
//: EXIT_SUCCESS
#define EXIT_SUCCESS 0
//: EXIT_FAILURE
#define EXIT_FAILURE 1
//: RAND_MAX
#define RAND_MAX 2147483647
