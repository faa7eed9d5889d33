// Subnormals flushed to zero, in and out, where the instruction says so.
// launch: 8 64
// arg: out float 2560 zero
// arg: in float 516 any
__global__ void k(float *o, const float *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float x = a[i], y = a[i + 1], z = a[i + 2], r;
    asm("add.ftz.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y));
    o[5 * i] = r;
    asm("mul.ftz.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y));
    o[5 * i + 1] = r;
    asm("fma.rn.ftz.f32 %0, %1, %2, %3;" : "=f"(r) : "f"(x), "f"(y), "f"(z));
    o[5 * i + 2] = r;
    asm("min.ftz.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y));
    o[5 * i + 3] = r;
    asm("add.sat.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y));
    o[5 * i + 4] = r;
}
