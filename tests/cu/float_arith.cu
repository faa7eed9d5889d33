// IEEE arithmetic on single precision with every special value: + - * / sqrt fma, minimum and maximum, comparisons.
// launch: 8 64
// arg: out float 4096 zero
// arg: out int 512 zero
// arg: in float 516 any
__global__ void k(float *o, int *c, const float *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float x = a[i], y = a[i + 1], z = a[i + 2];
    o[8 * i] = __fadd_rn(x, y);
    o[8 * i + 1] = __fmul_rn(x, y);
    o[8 * i + 2] = x / y;
    o[8 * i + 3] = sqrtf(x);
    o[8 * i + 4] = fmaf(x, y, z);
    o[8 * i + 5] = fminf(x, y);
    o[8 * i + 6] = fmaxf(y, x);
    o[8 * i + 7] = copysignf(x, y) - fabsf(z);
    c[i] = (x < y) + 2 * (x <= y) + 4 * (x == y) + 8 * (x != y) + 16 * (x > z) + 32 * (isnan(x) != 0)
        + 64 * (isinf(y) != 0) + 128 * (signbit(z) != 0) + 256 * !(x >= z);
}
