// The single precision math library on ordinary values.
// launch: 8 64
// arg: out float 12288 zero
// arg: in float 513 normal
// ulp: 2
__global__ void k(float *o, const float *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float x = a[i], y = a[i + 1], *q = o + 24 * i;
    q[0] = sinf(x), q[1] = cosf(x), q[2] = tanf(x), q[3] = asinf(x / 8), q[4] = acosf(x / 8), q[5] = atanf(x);
    q[6] = sinhf(x), q[7] = coshf(x), q[8] = tanhf(x), q[9] = expf(x), q[10] = exp2f(x), q[11] = log2f(fabsf(x));
    q[12] = logf(fabsf(x)), q[13] = log10f(fabsf(x)), q[14] = log1pf(fabsf(x)), q[15] = powf(fabsf(x), y);
    q[16] = rsqrtf(fabsf(x)), q[17] = cbrtf(x), q[18] = erff(x), q[19] = erfcf(x), q[20] = atan2f(x, y);
    q[21] = hypotf(x, y), q[22] = fmodf(x, y), q[23] = tgammaf(fabsf(x) + 1);
}
