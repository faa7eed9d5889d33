// <math.h>: constants, and the calls that C++'s library resolves and NVRTC's built-in overloads do
// not: whole numbers (sqrt(2)) and mixed types (pow(x, 2.0) of a float x) compute in double
// precision, as for nvcc.
// Old versions of NVRTC have no __builtin_bit_cast; they divide by zero in silence.
//: M_E
#define M_E 2.7182818284590452354
//: M_LOG2E
#define M_LOG2E 1.4426950408889634074
//: M_LOG10E
#define M_LOG10E 0.43429448190325182765
//: M_LN2
#define M_LN2 0.69314718055994530942
//: M_LN10
#define M_LN10 2.30258509299404568402
//: M_PI
#define M_PI 3.14159265358979323846
//: M_PI_2
#define M_PI_2 1.57079632679489661923
//: M_PI_4
#define M_PI_4 0.78539816339744830962
//: M_1_PI
#define M_1_PI 0.31830988618379067154
//: M_2_PI
#define M_2_PI 0.63661977236758134308
//: M_2_SQRTPI
#define M_2_SQRTPI 1.12837916709551257390
//: M_SQRT2
#define M_SQRT2 1.41421356237309504880
//: M_SQRT1_2
#define M_SQRT1_2 0.70710678118654752440
//: runcu_bits
#ifdef __has_builtin
#if __has_builtin(__builtin_bit_cast)
#define RUNCU_BITS(type, bits, other) __builtin_bit_cast(type, bits)
#endif
#endif
#ifndef RUNCU_BITS
#define RUNCU_BITS(type, bits, other) (other)
#endif
//: INFINITY < runcu_bits
#define INFINITY RUNCU_BITS(float, 0x7f800000, 1.0f / 0.0f)
//: NAN < runcu_bits
#define NAN RUNCU_BITS(float, 0x7fc00000, -(0.0f / 0.0f))
//: HUGE_VALF < runcu_bits
#define HUGE_VALF RUNCU_BITS(float, 0x7f800000, 1.0f / 0.0f)
//: HUGE_VAL < runcu_bits
#define HUGE_VAL RUNCU_BITS(double, 0x7ff0000000000000, 1.0 / 0.0)
//: MAXFLOAT
#define MAXFLOAT 3.40282346638528859811704183484516925e+38F
//: float_t
typedef float float_t;
//: double_t
typedef double double_t;
//: runcu_number
namespace runcu_ {
template <class T> struct number {};
template <> struct number<float> { typedef float real; };
template <> struct number<double> { typedef double real; };
#define RUNCU_WHOLE(T) template <> struct number<T> { typedef double real, whole; }
RUNCU_WHOLE(bool);
RUNCU_WHOLE(char);
RUNCU_WHOLE(signed char);
RUNCU_WHOLE(unsigned char);
RUNCU_WHOLE(short);
RUNCU_WHOLE(unsigned short);
RUNCU_WHOLE(int);
RUNCU_WHOLE(unsigned int);
RUNCU_WHOLE(long);
RUNCU_WHOLE(unsigned long);
RUNCU_WHOLE(long long);
RUNCU_WHOLE(unsigned long long);
#undef RUNCU_WHOLE
template <class A, class B> struct wider { typedef double real; };
template <> struct wider<float, float> { typedef float real; };
}
#define RUNCU_REAL(T) typename runcu_::number<T>::real
//: runcu_unary < runcu_number
#define RUNCU_UNARY(f, result)                                                                     \
    template <class T, class U = typename runcu_::number<T>::whole>                                \
    __device__ inline result f(T x) { return f((U) x); }
//: runcu_binary < runcu_number
#define RUNCU_BINARY(f)                                                                            \
    template <class A, class B,                                                                    \
              class T = typename runcu_::wider<RUNCU_REAL(A), RUNCU_REAL(B)>::real>                \
    __device__ inline T f(A a, B b) { return f((T) a, (T) b); }
//: acos < runcu_unary
RUNCU_UNARY(acos, double)
//: acosh < runcu_unary
RUNCU_UNARY(acosh, double)
//: asin < runcu_unary
RUNCU_UNARY(asin, double)
//: asinh < runcu_unary
RUNCU_UNARY(asinh, double)
//: atan < runcu_unary
RUNCU_UNARY(atan, double)
//: atanh < runcu_unary
RUNCU_UNARY(atanh, double)
//: cbrt < runcu_unary
RUNCU_UNARY(cbrt, double)
//: ceil < runcu_unary
RUNCU_UNARY(ceil, double)
//: cos < runcu_unary
RUNCU_UNARY(cos, double)
//: cosh < runcu_unary
RUNCU_UNARY(cosh, double)
//: erf < runcu_unary
RUNCU_UNARY(erf, double)
//: erfc < runcu_unary
RUNCU_UNARY(erfc, double)
//: exp < runcu_unary
RUNCU_UNARY(exp, double)
//: exp2 < runcu_unary
RUNCU_UNARY(exp2, double)
//: expm1 < runcu_unary
RUNCU_UNARY(expm1, double)
//: fabs < runcu_unary
RUNCU_UNARY(fabs, double)
//: floor < runcu_unary
RUNCU_UNARY(floor, double)
//: lgamma < runcu_unary
RUNCU_UNARY(lgamma, double)
//: log < runcu_unary
RUNCU_UNARY(log, double)
//: log10 < runcu_unary
RUNCU_UNARY(log10, double)
//: log1p < runcu_unary
RUNCU_UNARY(log1p, double)
//: log2 < runcu_unary
RUNCU_UNARY(log2, double)
//: logb < runcu_unary
RUNCU_UNARY(logb, double)
//: nearbyint < runcu_unary
RUNCU_UNARY(nearbyint, double)
//: rint < runcu_unary
RUNCU_UNARY(rint, double)
//: round < runcu_unary
RUNCU_UNARY(round, double)
//: sin < runcu_unary
RUNCU_UNARY(sin, double)
//: sinh < runcu_unary
RUNCU_UNARY(sinh, double)
//: sqrt < runcu_unary
RUNCU_UNARY(sqrt, double)
//: tan < runcu_unary
RUNCU_UNARY(tan, double)
//: tanh < runcu_unary
RUNCU_UNARY(tanh, double)
//: tgamma < runcu_unary
RUNCU_UNARY(tgamma, double)
//: trunc < runcu_unary
RUNCU_UNARY(trunc, double)
//: isnan < runcu_unary
RUNCU_UNARY(isnan, bool)
//: isinf < runcu_unary
RUNCU_UNARY(isinf, bool)
//: isfinite < runcu_unary
RUNCU_UNARY(isfinite, bool)
//: signbit < runcu_unary
RUNCU_UNARY(signbit, bool)
//: atan2 < runcu_binary
RUNCU_BINARY(atan2)
//: copysign < runcu_binary
RUNCU_BINARY(copysign)
//: fdim < runcu_binary
RUNCU_BINARY(fdim)
//: fmax < runcu_binary
RUNCU_BINARY(fmax)
//: fmin < runcu_binary
RUNCU_BINARY(fmin)
//: fmod < runcu_binary
RUNCU_BINARY(fmod)
//: hypot < runcu_binary
RUNCU_BINARY(hypot)
//: nextafter < runcu_binary
RUNCU_BINARY(nextafter)
//: pow < runcu_binary
RUNCU_BINARY(pow)
//: remainder < runcu_binary
RUNCU_BINARY(remainder)
//: fma < runcu_number
template <class A, class B, class C,
          class T = typename runcu_::wider<
              typename runcu_::wider<RUNCU_REAL(A), RUNCU_REAL(B)>::real, RUNCU_REAL(C)>::real>
__device__ inline T fma(A a, B b, C c) { return fma((T) a, (T) b, (T) c); }
