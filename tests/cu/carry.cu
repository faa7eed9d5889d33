// Carry chains: 128-bit sums and products.
// launch: 4 64
// arg: out unsigned_long_long 1024 zero
// arg: in unsigned_long_long 260 any
__global__ void k(unsigned long long *o, const unsigned long long *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned long long lo, hi, x = a[i], y = a[i + 1], z = a[i + 2], w = a[i + 3];
    asm("add.cc.u64 %0, %2, %4; addc.u64 %1, %3, %5;" : "=l"(lo), "=l"(hi) : "l"(x), "l"(y), "l"(z), "l"(w));
    o[4 * i] = lo;
    o[4 * i + 1] = hi;
    asm("sub.cc.u64 %0, %2, %4; subc.u64 %1, %3, %5;" : "=l"(lo), "=l"(hi) : "l"(x), "l"(y), "l"(z), "l"(w));
    o[4 * i + 2] = lo ^ hi;
    unsigned p, q, r = (unsigned) x, s = (unsigned) y;
    asm("mad.lo.cc.u32 %0, %2, %3, %4; madc.hi.u32 %1, %2, %3, %4;" : "=r"(p), "=r"(q) : "r"(r), "r"(s), "r"((unsigned) z));
    o[4 * i + 3] = ((unsigned long long) q << 32) | p;
}
