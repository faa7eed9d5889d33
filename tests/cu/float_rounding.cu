// Every rounding direction of single and double precision.
// launch: 4 64
// arg: out float 3840 zero
// arg: out double 2560 zero
// arg: in float 260 any
// arg: in double 260 any
__global__ void k(float *o, double *p, const float *a, const double *b)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float x = a[i], y = a[i + 1], z = a[i + 2];
    double u = b[i], v = b[i + 1], w = b[i + 2];
    float *q = o + 15 * i;
    q[0] = __fadd_rz(x, y), q[1] = __fadd_ru(x, y), q[2] = __fadd_rd(x, y);
    q[3] = __fmul_rz(x, y), q[4] = __fmul_ru(x, y), q[5] = __fmul_rd(x, y);
    q[6] = __fdiv_rz(x, y), q[7] = __fdiv_ru(x, y), q[8] = __fdiv_rd(x, y);
    q[9] = __fsqrt_rz(x), q[10] = __fsqrt_ru(x), q[11] = __frcp_rd(y);
    q[12] = __fmaf_rz(x, y, z), q[13] = __fmaf_ru(x, y, z), q[14] = __fmaf_rd(x, y, z);
    double *r = p + 10 * i;
    r[0] = __dadd_rz(u, v), r[1] = __dadd_ru(u, v), r[2] = __dmul_rd(u, v), r[3] = __dmul_ru(u, v);
    r[4] = __ddiv_rz(u, v), r[5] = __ddiv_ru(u, v), r[6] = __dsqrt_rd(u), r[7] = __drcp_ru(v);
    r[8] = __fma_rz(u, v, w), r[9] = __fma_rd(u, v, w);
}
