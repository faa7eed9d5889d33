// pycuda::complex<T>: complex numbers for kernels, with the interface that PyCUDA's header of this
// name offers. The two parts lie side by side with the alignment of T, as in a NumPy array.
#ifndef RUNCU_PYCUDA_COMPLEX_HPP
#define RUNCU_PYCUDA_COMPLEX_HPP
namespace pycuda {

template <class T> struct complex {
    typedef T value_type;
    T _M_re, _M_im;

    __device__ complex() : _M_re(0), _M_im(0) {}
    __device__ complex(T re) : _M_re(re), _M_im(0) {}
    __device__ complex(T re, T im) : _M_re(re), _M_im(im) {}
    __device__ complex(const complex &z) : _M_re(z._M_re), _M_im(z._M_im) {}
    __device__ complex(const volatile complex &z) : _M_re(z._M_re), _M_im(z._M_im) {}
    template <class U>
    __device__ complex(const complex<U> &z) : _M_re((T) z._M_re), _M_im((T) z._M_im)
    {
    }

    __device__ T real() const { return _M_re; }
    __device__ T imag() const { return _M_im; }
    __device__ T real() const volatile { return _M_re; }
    __device__ T imag() const volatile { return _M_im; }

    __device__ complex &operator=(const complex &z)
    {
        _M_re = z._M_re;
        _M_im = z._M_im;
        return *this;
    }
    __device__ volatile complex &operator=(const complex &z) volatile
    {
        _M_re = z._M_re;
        _M_im = z._M_im;
        return *this;
    }
    __device__ volatile complex &operator=(const volatile complex &z) volatile
    {
        return *this = complex(z);
    }
    __device__ complex &operator=(T re) { return *this = complex(re); }
    template <class U> __device__ complex &operator=(const complex<U> &z)
    {
        return *this = complex(z);
    }

    __device__ complex &operator+=(const complex &z) { return *this = *this + z; }
    __device__ complex &operator-=(const complex &z) { return *this = *this - z; }
    __device__ complex &operator*=(const complex &z) { return *this = *this * z; }
    __device__ complex &operator/=(const complex &z) { return *this = *this / z; }

    friend __device__ complex operator+(const complex &a) { return a; }
    friend __device__ complex operator-(const complex &a) { return complex(-a._M_re, -a._M_im); }
    friend __device__ complex operator+(const complex &a, const complex &b)
    {
        return complex(a._M_re + b._M_re, a._M_im + b._M_im);
    }
    friend __device__ complex operator-(const complex &a, const complex &b)
    {
        return complex(a._M_re - b._M_re, a._M_im - b._M_im);
    }
    friend __device__ complex operator*(const complex &a, const complex &b)
    {
        return complex(a._M_re * b._M_re - a._M_im * b._M_im,
                       a._M_re * b._M_im + a._M_im * b._M_re);
    }
    // Reductions among the threads of a warp read shared memory as volatile.
    friend __device__ complex operator+(const volatile complex &a, const volatile complex &b)
    {
        return complex(a) + complex(b);
    }
    friend __device__ complex operator*(const volatile complex &a, const volatile complex &b)
    {
        return complex(a) * complex(b);
    }
    friend __device__ complex operator*(const complex &a, T b)
    {
        return complex(a._M_re * b, a._M_im * b);
    }
    friend __device__ complex operator*(T a, const complex &b) { return b * a; }
    friend __device__ complex operator/(const complex &a, T b)
    {
        return complex(a._M_re / b, a._M_im / b);
    }
    // R. L. Smith's division (CACM 5, 1962): squares, which might overflow, are not needed.
    friend __device__ complex operator/(const complex &a, const complex &b)
    {
        if (::fabs(b._M_re) >= ::fabs(b._M_im)) {
            T ratio = b._M_im / b._M_re, scale = b._M_re + b._M_im * ratio;
            return complex((a._M_re + a._M_im * ratio) / scale,
                           (a._M_im - a._M_re * ratio) / scale);
        }
        T ratio = b._M_re / b._M_im, scale = b._M_re * ratio + b._M_im;
        return complex((a._M_re * ratio + a._M_im) / scale,
                       (a._M_im * ratio - a._M_re) / scale);
    }
    friend __device__ complex operator/(T a, const complex &b) { return complex(a) / b; }
    friend __device__ bool operator==(const complex &a, const complex &b)
    {
        return a._M_re == b._M_re && a._M_im == b._M_im;
    }
    friend __device__ bool operator!=(const complex &a, const complex &b) { return !(a == b); }
};

template <class T> __device__ inline T real(const complex<T> &z) { return z._M_re; }
template <class T> __device__ inline T imag(const complex<T> &z) { return z._M_im; }
template <class T> __device__ inline T abs(const complex<T> &z)
{
    return ::hypot(z._M_re, z._M_im);
}
template <class T> __device__ inline T arg(const complex<T> &z)
{
    return ::atan2(z._M_im, z._M_re);
}
template <class T> __device__ inline T norm(const complex<T> &z)
{
    return z._M_re * z._M_re + z._M_im * z._M_im;
}
template <class T> __device__ inline complex<T> conj(const complex<T> &z)
{
    return complex<T>(z._M_re, -z._M_im);
}
template <class T> __device__ inline complex<T> polar(const T &radius, const T &angle = T(0))
{
    return complex<T>(radius * ::cos(angle), radius * ::sin(angle));
}

template <class T> __device__ inline complex<T> exp(const complex<T> &z)
{
    return polar<T>(::exp(z._M_re), z._M_im);
}
template <class T> __device__ inline complex<T> log(const complex<T> &z)
{
    return complex<T>(::log(abs(z)), arg(z));
}
template <class T> __device__ inline complex<T> log10(const complex<T> &z)
{
    const T scale = T(0.43429448190325182765);
    return complex<T>(::log10(abs(z)), arg(z) * scale);
}
// The larger of the two parts comes from the root, the other from their product: nothing cancels.
template <class T> __device__ inline complex<T> sqrt(const complex<T> &z)
{
    if (z._M_re == T(0) && z._M_im == T(0))
        return complex<T>(T(0), z._M_im);
    T part = ::sqrt((abs(z) + ::fabs(z._M_re)) / T(2));
    if (z._M_re >= T(0))
        return complex<T>(part, z._M_im / (part + part));
    return complex<T>(::fabs(z._M_im) / (part + part), ::copysign(part, z._M_im));
}

template <class T> __device__ inline complex<T> pow(const complex<T> &z, int n)
{
    complex<T> power(T(1)), square = z;
    for (unsigned m = n < 0 ? 0u - (unsigned) n : (unsigned) n; m; m >>= 1) {
        if (m & 1)
            power = power * square;
        square = square * square;
    }
    return n < 0 ? T(1) / power : power;
}
template <class T> __device__ inline complex<T> pow(const complex<T> &z, const complex<T> &w)
{
    if (z._M_re == T(0) && z._M_im == T(0))
        return complex<T>(w._M_re == T(0) && w._M_im == T(0) ? T(1) : T(0));
    return exp(w * log(z));
}
template <class T> __device__ inline complex<T> pow(const complex<T> &z, const T &x)
{
    return pow(z, complex<T>(x));
}
template <class T> __device__ inline complex<T> pow(const T &x, const complex<T> &w)
{
    return pow(complex<T>(x), w);
}

template <class T> __device__ inline complex<T> sin(const complex<T> &z)
{
    return complex<T>(::sin(z._M_re) * ::cosh(z._M_im), ::cos(z._M_re) * ::sinh(z._M_im));
}
template <class T> __device__ inline complex<T> cos(const complex<T> &z)
{
    return complex<T>(::cos(z._M_re) * ::cosh(z._M_im), -::sin(z._M_re) * ::sinh(z._M_im));
}
template <class T> __device__ inline complex<T> sinh(const complex<T> &z)
{
    return complex<T>(::sinh(z._M_re) * ::cos(z._M_im), ::cosh(z._M_re) * ::sin(z._M_im));
}
template <class T> __device__ inline complex<T> cosh(const complex<T> &z)
{
    return complex<T>(::cosh(z._M_re) * ::cos(z._M_im), ::sinh(z._M_re) * ::sin(z._M_im));
}
// Written with tanh and 1 / cosh of the real part, neither of which overflows.
template <class T> __device__ inline complex<T> tanh(const complex<T> &z)
{
    T t = ::tanh(z._M_re), c = ::cos(z._M_im), s = ::sin(z._M_im), sech = T(1) / ::cosh(z._M_re);
    T scale = c * c + t * t * s * s;
    return complex<T>(t / scale, s * c * sech * sech / scale);
}
template <class T> __device__ inline complex<T> tan(const complex<T> &z)
{
    complex<T> h = tanh(complex<T>(-z._M_im, z._M_re));
    return complex<T>(h._M_im, -h._M_re);
}
template <class T> __device__ inline complex<T> asinh(const complex<T> &z)
{
    return log(z + sqrt(z * z + T(1)));
}
template <class T> __device__ inline complex<T> acosh(const complex<T> &z)
{
    return log(z + sqrt(z + T(1)) * sqrt(z - T(1)));
}
template <class T> __device__ inline complex<T> atanh(const complex<T> &z)
{
    return (log(complex<T>(T(1)) + z) - log(complex<T>(T(1)) - z)) / T(2);
}
template <class T> __device__ inline complex<T> asin(const complex<T> &z)
{
    complex<T> h = asinh(complex<T>(-z._M_im, z._M_re));
    return complex<T>(h._M_im, -h._M_re);
}
template <class T> __device__ inline complex<T> acos(const complex<T> &z)
{
    complex<T> s = asin(z);
    return complex<T>(T(1.57079632679489661923) - s._M_re, -s._M_im);
}
template <class T> __device__ inline complex<T> atan(const complex<T> &z)
{
    complex<T> h = atanh(complex<T>(-z._M_im, z._M_re));
    return complex<T>(h._M_im, -h._M_re);
}

}
#endif
