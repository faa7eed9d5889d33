// Three-dimensional grids and blocks, every built-in index.
// launch: 3x2x2 4x3x5
// arg: out unsigned 2880 zero
__global__ void k(unsigned *o)
{
    unsigned b = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    unsigned t = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    unsigned lane;
    asm("mov.u32 %0, %%laneid;" : "=r"(lane));
    unsigned *q = o + 4 * (b * 60 + t);
    q[0] = threadIdx.x + 100 * threadIdx.y + 10000 * threadIdx.z;
    q[1] = blockIdx.x + 100 * blockIdx.y + 10000 * blockIdx.z;
    q[2] = gridDim.x * blockDim.x + gridDim.y * blockDim.y + gridDim.z * blockDim.z;
    q[3] = lane;
}
