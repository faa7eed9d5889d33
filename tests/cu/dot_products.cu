// Four- and two-way dot products, SIMD in a word.
// launch: 4 64
// arg: out unsigned 2048 zero
// arg: in unsigned 260 any
__global__ void k(unsigned *o, const unsigned *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned x = a[i], y = a[i + 1], z = a[i + 2], *q = o + 8 * i;
    q[0] = __dp4a((int) x, (int) y, (int) z), q[1] = __dp4a(x, y, z);
    q[2] = __dp2a_lo((int) x, (int) y, (int) z), q[3] = __dp2a_hi(x, y, z);
    q[4] = __vadd2(x, y), q[5] = __vabsdiffu4(x, y), q[6] = __vmaxs2(x, y), q[7] = __vcmpeq4(x, y ^ z);
}
