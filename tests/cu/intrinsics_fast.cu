// The approximations of --use_fast_math; __powf multiplies the error of __log2f by its result.
// launch: 8 64
// arg: out float 4096 zero
// arg: in float 513 unit
// ulp: 32
__global__ void k(float *o, const float *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float x = a[i] + 0.125f, y = a[i + 1] + 0.125f, *q = o + 8 * i;
    q[0] = __sinf(x), q[1] = __cosf(x), q[2] = __expf(x), q[3] = __powf(x, y);
    q[4] = __fdividef(x, y), q[5] = __frsqrt_rn(x), q[6] = __frcp_rn(x), q[7] = __log2f(x + 2);
}
