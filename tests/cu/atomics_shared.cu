// A histogram in shared memory added to one in global memory, and a spin lock that a block's threads share.
// launch: 4 128
// arg: inout unsigned 64 zero
// arg: inout int 4 zero
// arg: in unsigned 2048 any
__global__ void k(unsigned *h, int *total, const unsigned *a)
{
    __shared__ unsigned s[64];
    __shared__ int lock, sum;
    int t = threadIdx.x;
    if (t < 64)
        s[t] = 0;
    if (t == 0)
        lock = sum = 0;
    __syncthreads();
    for (int j = 0; j < 4; j++)
        atomicAdd(&s[a[blockIdx.x * 512 + j * 128 + t] & 63], 1u);
    while (atomicCAS(&lock, 0, 1))
        ;
    *(volatile int *) &sum = *(volatile int *) &sum + t;
    __threadfence_block();
    atomicExch(&lock, 0);
    __syncthreads();
    if (t < 64)
        atomicAdd(&h[t], s[t]);
    if (t == 0)
        atomicAdd(&total[blockIdx.x], sum);
}
