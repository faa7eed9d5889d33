// 8- and 16-bit integers: extension, truncation, arithmetic in int, stores of the low part.
// launch: 4 64
// arg: out short 1024 zero
// arg: out signed_char 1024 zero
// arg: in signed_char 260 any
// arg: in unsigned_short 260 any
__global__ void k(short *o, signed char *q, const signed char *a, const unsigned short *b)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    signed char x = a[i], y = a[i + 1];
    unsigned short u = b[i], v = b[i + 1];
    o[4 * i] = x * y;
    o[4 * i + 1] = u - v + x;
    o[4 * i + 2] = v ? u / v : -1;
    o[4 * i + 3] = (short) u >> (v & 15);
    q[4 * i] = x + y;
    q[4 * i + 1] = (signed char) u;
    q[4 * i + 2] = y ? (x == -128 && y == -1 ? 1 : x / y) : 0;
    q[4 * i + 3] = min(x, y) ^ max((int) u, (int) v);
}
