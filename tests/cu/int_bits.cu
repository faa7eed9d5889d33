// Shifts by any amount, rotations, bit counting and reversal, byte permutation, bit fields.
// launch: 8 64
// arg: out unsigned 4096 zero
// arg: in unsigned 516 any
__global__ void k(unsigned *o, const unsigned *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned x = a[i], y = a[i + 1], s = a[i + 2];
    o[8 * i] = (x << (s & 31)) ^ (y >> (s & 31)) ^ ((int) x >> (s & 31));
    o[8 * i + 1] = __funnelshift_l(x, y, s) ^ __funnelshift_rc(x, y, s);
    o[8 * i + 2] = __popc(x) + 64 * __clz(y) + 4096 * __ffs(s);
    o[8 * i + 3] = __brev(x);
    o[8 * i + 4] = __byte_perm(x, y, s);
    o[8 * i + 5] = __sad(x, y, s) + __usad(x, y, s);
    unsigned d, e;
    asm("bfe.u32 %0, %1, %2, %3;" : "=r"(d) : "r"(x), "r"(y), "r"(s));
    asm("bfe.s32 %0, %1, %2, %3;" : "=r"(e) : "r"(x), "r"(y), "r"(s));
    o[8 * i + 6] = d ^ (e * 3);
    asm("bfi.b32 %0, %1, %2, %3, %4;" : "=r"(d) : "r"(x), "r"(y), "r"(s), "r"(x ^ s));
    asm("shl.b32 %0, %1, %2;" : "=r"(e) : "r"(x), "r"(s));
    o[8 * i + 7] = d ^ e;
}
