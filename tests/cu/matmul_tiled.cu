// The tiled matrix product, 64 x 64, sums in the same order everywhere.
// launch: 4x4 16x16
// arg: out float 4096 zero
// arg: in float 4096 normal
// arg: in float 4096 normal
// arg: int 64
__global__ void k(float *c, const float *a, const float *b, int n)
{
    __shared__ float as[16][16], bs[16][16];
    int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
    float sum = 0;
    for (int t = 0; t < n; t += 16) {
        as[threadIdx.y][threadIdx.x] = a[row * n + t + threadIdx.x];
        bs[threadIdx.y][threadIdx.x] = b[(t + threadIdx.y) * n + col];
        __syncthreads();
        for (int j = 0; j < 16; j++)
            sum = fmaf(as[threadIdx.y][j], bs[j][threadIdx.x], sum);
        __syncthreads();
    }
    c[row * n + col] = sum;
}
