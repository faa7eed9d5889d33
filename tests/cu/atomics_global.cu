// Atomic operations whose result does not depend on the order.
// launch: 8 128
// arg: inout int 16 zero
// arg: inout unsigned_long_long 8 zero
// arg: inout double 4 zero
// arg: in int 1024 any
__global__ void k(int *o, unsigned long long *p, double *q, const int *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x, x = a[i];
    atomicAdd(o, x);
    atomicMin(o + 1, x);
    atomicMax(o + 2, x);
    atomicMin((unsigned *) o + 3, ~(unsigned) x);
    atomicMax((unsigned *) o + 4, (unsigned) x);
    atomicXor(o + 5, x);
    atomicOr(o + 6, x & 0x5555);
    atomicAnd(o + 7, x | 0xff);
    atomicInc((unsigned *) o + 8, 99);
    atomicDec((unsigned *) o + 9, 76);
    atomicSub(o + 10, x);
    atomicAdd(p, (unsigned long long) (unsigned) x);
    atomicMax(p + 1, (unsigned long long) x);
    atomicXor(p + 2, (unsigned long long) x << 20);
    atomicAdd(q, (double) (x & 1023));
    int old = o[11], seen;
    do {
        seen = old;
        old = atomicCAS(o + 11, seen, seen + (x & 15));
    } while (old != seen);
}
