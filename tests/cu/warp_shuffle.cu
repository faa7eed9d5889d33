// Shuffles of every kind and width, votes, matches, in full and in divergent warps.
// launch: 4 96
// arg: out int 3456 zero
// arg: in int 384 small
__global__ void k(int *o, const int *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x, x = a[i], *q = o + 9 * i;
    unsigned all = 0xffffffffu;
    q[0] = __shfl_sync(all, x, x & 31);
    q[1] = __shfl_up_sync(all, x, 3, 16);
    q[2] = __shfl_down_sync(all, x, 5);
    q[3] = __shfl_xor_sync(all, x, 9, 8);
    q[4] = __ballot_sync(all, x > 40);
    q[5] = __any_sync(all, x == 77) + 2 * __all_sync(all, x < 99) + 4 * __all_sync(all, x >= 0);
    q[6] = __match_any_sync(all, x % 5);
    unsigned odd = __ballot_sync(all, x & 1);
    if (x & 1) {
        q[7] = __shfl_sync(odd, x, __ffs(odd) - 1) + __popc(odd);
    } else {
        int p;
        q[7] = __match_all_sync(~odd, x & 1, &p) + p;
    }
    long long w = (long long) x << 33 | i;
    q[8] = (int) (__shfl_xor_sync(all, w, 1) >> 31);
}
