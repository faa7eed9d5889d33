// <sys/types.h>: the short names of unsigned types, which nvcc's host compiler gives every source.
#include "stdint.h"
//: uint
typedef unsigned int uint;
//: ushort
typedef unsigned short ushort;
//: ulong
typedef unsigned long ulong;
//: uchar
typedef unsigned char uchar;
//: u_char
typedef unsigned char u_char;
//: u_short
typedef unsigned short u_short;
//: u_int
typedef unsigned int u_int;
//: u_long
typedef unsigned long u_long;
//: u_int8_t
typedef unsigned char u_int8_t;
//: u_int16_t
typedef unsigned short u_int16_t;
//: u_int32_t
typedef unsigned int u_int32_t;
//: u_int64_t < runcu_int64
typedef unsigned RUNCU_INT64 u_int64_t;
//: ssize_t
typedef long ssize_t;
//: off_t
typedef long off_t;
