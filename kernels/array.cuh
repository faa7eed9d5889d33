// The elements of arrays: how each type lies in memory, and the number that kernels compute with.
// Half precision lies as two bytes and is computed with as float, as NumPy does; a truth value lies
// as a byte of which any but 0 is true.
#ifndef RUNCU_ARRAY_CUH
#define RUNCU_ARRAY_CUH
namespace runcu {

struct half {
    unsigned short bits;
};
struct truth {
    unsigned char byte;
};
// Elements that are only moved: words of W, alignments included.
template <class W, int N> struct words {
    W word[N];
};

template <class S> struct element {
    typedef S number;
    static __device__ __forceinline__ const S &get(const S &stored) { return stored; }
    static __device__ __forceinline__ void put(S &stored, const S &value) { stored = value; }
};
template <> struct element<half> {
    typedef float number;
    static __device__ __forceinline__ float get(half stored)
    {
        float value;
        asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(stored.bits));
        return value;
    }
    static __device__ __forceinline__ void put(half &stored, float value)
    {
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(stored.bits) : "f"(value));
    }
};
template <> struct element<truth> {
    typedef bool number;
    static __device__ __forceinline__ bool get(truth stored) { return stored.byte != 0; }
    static __device__ __forceinline__ void put(truth &stored, bool value) { stored.byte = value; }
};

// A few elements, which are loaded and stored at once where they lie on 16 bytes.
template <class S, int N> struct alignas(N == 1 ? alignof(S) : sizeof(S) * N) pack {
    S v[N];
};

// Whole numbers wrap; a negative power is that of a fraction, 0 unless the base is 1 or -1.
template <class T> __device__ __forceinline__ T whole_power(T base, T exponent)
{
    if (exponent < T(0))
        return base == T(1) ? T(1) : base == T(-1) ? (exponent % 2 ? T(-1) : T(1)) : T(0);
    T result = 1;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1)
            result *= base;
        base *= base;
    }
    return result;
}

// A float as a whole number goes through a wide one, so that it wraps as in NumPy.
template <class T, class F> __device__ __forceinline__ T whole(F value)
{
    return value < F(0) ? T((long long) value) : T((unsigned long long) value);
}

}
#endif
