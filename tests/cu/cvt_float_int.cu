// Floats to integers and back: saturation, NaN, every rounding direction.
// launch: 8 64
// arg: out int 4096 zero
// arg: out long_long 4096 zero
// arg: in float 512 any
// arg: in double 512 any
__global__ void k(int *o, long long *p, const float *a, const double *b)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float x = a[i];
    double y = b[i];
    int *q = o + 8 * i;
    q[0] = __float2int_rn(x), q[1] = __float2int_rz(x), q[2] = __float2int_ru(x), q[3] = __float2int_rd(x);
    q[4] = __float2uint_rz(x), q[5] = __double2int_rn(y), q[6] = __double2uint_rz(y), q[7] = __double2int_ru(y);
    long long *r = p + 8 * i;
    r[0] = __float2ll_rn(x), r[1] = __float2ll_rd(x), r[2] = __float2ull_rz(x), r[3] = __double2ll_rz(y);
    r[4] = __double2ull_ru(y), r[5] = __double2ll_rn(y), r[6] = (signed char) __float2int_rz(x), r[7] = (long long) rintf(x) ;
}
