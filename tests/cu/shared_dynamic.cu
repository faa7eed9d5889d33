// Dynamic shared memory cut into parts, a tile transposed, barriers in a loop.
// launch: 2x2 16x16 2304
// arg: out float 1024 zero
// arg: in float 1024 normal
__global__ void k(float *o, const float *a)
{
    extern __shared__ float pool[];
    float *tile = pool, *row = pool + 16 * 17;
    int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
    tile[threadIdx.y * 17 + threadIdx.x] = a[y * 32 + x];
    if (threadIdx.y == 0)
        row[threadIdx.x] = 0;
    __syncthreads();
    for (int j = 0; j < 16; j++) {
        if (threadIdx.y == j)
            row[threadIdx.x] += tile[threadIdx.x * 17 + j];
        __syncthreads();
    }
    o[(blockIdx.x * 16 + threadIdx.y) * 32 + blockIdx.y * 16 + threadIdx.x] =
        tile[threadIdx.x * 17 + threadIdx.y] + row[threadIdx.x];
}
