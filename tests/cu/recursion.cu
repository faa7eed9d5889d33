// Real calls with a stack for each lane: recursion that diverges.
// launch: 2 64
// arg: out int 128 zero
__device__ __noinline__ int ackermann(int m, int n)
{
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}
__device__ __noinline__ long long fib(int n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}
__global__ void k(int *o)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    o[i] = ackermann(i % 3, i % 5) + (int) fib(i % 13);
}
