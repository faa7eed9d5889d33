// Integers to floats in every rounding direction, double to single, halves stored and loaded.
// launch: 8 64
// arg: out float 4096 zero
// arg: out double 2048 zero
// arg: in int 512 any
// arg: in long_long 512 any
// arg: in double 512 any
__global__ void k(float *o, double *p, const int *a, const long long *b, const double *c)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float *q = o + 8 * i;
    q[0] = __int2float_rn(a[i]), q[1] = __int2float_rz(a[i]), q[2] = __uint2float_ru(a[i]), q[3] = __uint2float_rd(a[i]);
    q[4] = __ll2float_rn(b[i]), q[5] = __ull2float_rz(b[i]), q[6] = __double2float_rn(c[i]), q[7] = __double2float_rd(c[i]);
    double *r = p + 4 * i;
    r[0] = __ll2double_rn(b[i]), r[1] = __ull2double_rz(b[i]), r[2] = __ull2double_ru(b[i]), r[3] = a[i];
}
