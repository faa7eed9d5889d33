// The double precision math library on ordinary values.
// launch: 4 64
// arg: out double 6144 zero
// arg: in double 257 normal
// ulp: 1
__global__ void k(double *o, const double *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    double x = a[i], y = a[i + 1], *q = o + 24 * i;
    q[0] = sin(x), q[1] = cos(x), q[2] = tan(x), q[3] = asin(x / 8), q[4] = acos(x / 8), q[5] = atan(x);
    q[6] = sinh(x), q[7] = cosh(x), q[8] = tanh(x), q[9] = exp(x), q[10] = exp2(x), q[11] = log2(fabs(x));
    q[12] = log(fabs(x)), q[13] = log10(fabs(x)), q[14] = log1p(fabs(x)), q[15] = pow(fabs(x), y);
    q[16] = rsqrt(fabs(x)), q[17] = cbrt(x), q[18] = erf(x), q[19] = erfc(x), q[20] = atan2(x, y);
    q[21] = hypot(x, y), q[22] = fmod(x, y), q[23] = lgamma(fabs(x) + 1);
}
