// IEEE arithmetic on double precision with every special value.
// launch: 8 64
// arg: out double 4096 zero
// arg: out int 512 zero
// arg: in double 516 any
__global__ void k(double *o, int *c, const double *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    double x = a[i], y = a[i + 1], z = a[i + 2];
    o[8 * i] = __dadd_rn(x, y);
    o[8 * i + 1] = __dmul_rn(x, y);
    o[8 * i + 2] = x / y;
    o[8 * i + 3] = sqrt(x);
    o[8 * i + 4] = fma(x, y, z);
    o[8 * i + 5] = fmin(x, y);
    o[8 * i + 6] = fmax(y, x);
    o[8 * i + 7] = trunc(x) + floor(y) + ceil(z);
    c[i] = (x < y) + 2 * (x <= y) + 4 * (x == y) + 8 * (x != y) + 16 * (x > z) + 32 * (isnan(x) != 0);
}
