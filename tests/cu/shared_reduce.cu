// The classic block sum through shared memory, the last warp through volatile without synchronisation.
// launch: 8 256
// arg: out int 8 zero
// arg: in int 4096 small
__global__ void k(int *o, const int *a)
{
    __shared__ volatile int s[256];
    int t = threadIdx.x, i = blockIdx.x * 512 + t;
    s[t] = a[i] + a[i + 256];
    __syncthreads();
    for (int d = 128; d > 32; d >>= 1) {
        if (t < d)
            s[t] += s[t + d];
        __syncthreads();
    }
    if (t < 32) {
        s[t] += s[t + 32];
        s[t] += s[t + 16];
        s[t] += s[t + 8];
        s[t] += s[t + 4];
        s[t] += s[t + 2];
        s[t] += s[t + 1];
    }
    if (t == 0)
        o[blockIdx.x] = s[0];
}
