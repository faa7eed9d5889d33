// 32- and 64-bit integer arithmetic, wrap-around, division by values that may be zero guarded as C wants it.
// launch: 8 64
// arg: out int 2048 zero
// arg: out long_long 1024 zero
// arg: in int 514 any
// arg: in long_long 514 any
__global__ void k(int *o, long long *p, const int *a, const long long *b)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int x = a[i], y = a[i + 1];
    long long u = b[i], v = b[i + 1];
    o[4 * i] = x * y + (x ^ y) - (x & ~y);
    o[4 * i + 1] = y == 0 || (x == INT_MIN && y == -1) ? 7 : x / y;
    o[4 * i + 2] = y == 0 || (x == INT_MIN && y == -1) ? 9 : x % y;
    o[4 * i + 3] = __mulhi(x, y) + (int) __umulhi(x, y);
    p[2 * i] = u * v + (u ^ v) + __mul64hi(u, v);
    p[2 * i + 1] = v == 0 || v == -1 ? 5 : u / v + u % v;
}
