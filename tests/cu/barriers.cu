// Barriers that count and combine, named barriers of part of a block, threads that left earlier.
// launch: 4 128
// arg: out int 512 zero
// arg: in int 512 small
__global__ void k(int *o, const int *a)
{
    __shared__ int s[128];
    int t = threadIdx.x, i = blockIdx.x * 128 + t, x = a[i];
    int r = __syncthreads_count(x > 50) + 1000 * __syncthreads_and(x < 98) + 2000 * __syncthreads_or(x == 3);
    s[t] = x;
    if (t < 64) {
        asm volatile("bar.sync 1, 64;");
        r += s[63 - t];
        asm volatile("bar.sync 1, 64;");
    } else {
        asm volatile("bar.sync 2, 64;");
        r += s[191 - t];
    }
    if (t >= 96) {
        o[i] = r;
        return;
    }
    __syncthreads();
    o[i] = r + s[(t + 1) % 96];
}
