// Arrays that are indexed at run time, structs by value and by reference, vector types.
// launch: 4 64
// arg: out float 1024 zero
// arg: in float 1028 normal
struct body { float4 pos; double mass; short tag[3]; };
__device__ __noinline__ float weigh(const body &b, int j) { return b.pos.x * b.mass + b.tag[j % 3]; }
__global__ void k(float4 *o, const float4 *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float t[16];
    for (int j = 0; j < 16; j++)
        t[(j * 5 + i) & 15] = a[i].x * j + a[i].y;
    body b = {a[i], a[i].z, {(short) i, 2, 3}};
    float s = 0;
    for (int j = 0; j < 16; j++)
        s = fmaf(t[(i + j * 3) & 15], 0.5f, s);
    o[i] = make_float4(s, weigh(b, i), t[i & 15], b.tag[i % 3]);
}
