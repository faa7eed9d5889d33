// Philox4x32-10: 128 random bits of a counter and a key. J. K. Salmon, M. A. Moraes, R. O. Dror,
// D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11.
#ifndef RUNCU_PHILOX_CUH
#define RUNCU_PHILOX_CUH
namespace runcu {

struct philox_bits {
    unsigned word[4];
};

__device__ __forceinline__ philox_bits philox(unsigned long long counter,
                                                     unsigned long long stream,
                                                     unsigned long long key)
{
    unsigned x0 = (unsigned) counter, x1 = (unsigned) (counter >> 32);
    unsigned x2 = (unsigned) stream, x3 = (unsigned) (stream >> 32);
    unsigned k0 = (unsigned) key, k1 = (unsigned) (key >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const unsigned long long a = 0xD2511F53ull * x0, b = 0xCD9E8D57ull * x2;
        x0 = (unsigned) (b >> 32) ^ x1 ^ k0;
        x1 = (unsigned) b;
        x2 = (unsigned) (a >> 32) ^ x3 ^ k1;
        x3 = (unsigned) a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    philox_bits bits = {{x0, x1, x2, x3}};
    return bits;
}

// The upper bits as a number from 0 to below 1, each multiple of the last place alike.
__device__ __forceinline__ float unit_float(unsigned bits)
{
    return (bits >> 8) * 5.9604644775390625e-8f;
}
__device__ __forceinline__ double unit_double(unsigned high, unsigned low)
{
    return ((((unsigned long long) high << 32) | low) >> 11) * 1.1102230246251565e-16;
}

}
#endif
