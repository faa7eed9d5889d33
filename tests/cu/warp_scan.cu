// Inclusive scan by shuffles and a reduction tree, single and double precision.
// launch: 2 128
// arg: out float 256 zero
// arg: out double 8 zero
// arg: in float 256 normal
__global__ void k(float *o, double *p, const float *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x, l = threadIdx.x & 31;
    float v = a[i];
    for (int d = 1; d < 32; d <<= 1) {
        float t = __shfl_up_sync(~0u, v, d);
        if (l >= d)
            v += t;
    }
    o[i] = v;
    double s = a[i];
    for (int d = 16; d; d >>= 1)
        s += __shfl_down_sync(~0u, s, d);
    if (l == 0)
        p[i / 32] = s;
}
