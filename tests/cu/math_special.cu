// The math library on infinities, NaN, zeros, subnormals and extremes: which special value comes out.
// launch: 8 64
// arg: out int 5120 zero
// arg: in float 512 any
__device__ int kind(float x)
{
    return isnan(x) ? 1 : isinf(x) ? (x > 0 ? 2 : 3) : x == 0 ? (signbit(x) ? 4 : 5) : x > 0 ? 6 : 7;
}
__global__ void k(int *o, const float *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x, *q = o + 10 * i;
    float x = a[i];
    q[0] = kind(__log2f(x)), q[1] = kind(exp2f(x)), q[2] = kind(rsqrtf(x)), q[3] = kind(1 / x), q[4] = kind(sqrtf(x));
    q[5] = kind(logf(x)), q[6] = kind(expf(x)), q[7] = kind(atanf(x)), q[8] = kind(cbrtf(x)), q[9] = kind(powf(x, 2.5f));
}
