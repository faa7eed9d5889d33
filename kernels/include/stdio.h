// <stdio.h>: printf is built into NVRTC; a kernel has nothing else of it.
//: EOF
#define EOF (-1)
//: BUFSIZ
#define BUFSIZ 8192
