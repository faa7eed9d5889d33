// Nested branches, loops of different lengths, early return, switch, short circuit.
// launch: 4 100
// arg: out int 400 zero
// arg: in int 400 small
__device__ int collatz(int n)
{
    int steps = 0;
    while (n > 1) {
        n = n & 1 ? 3 * n + 1 : n / 2;
        if (++steps > 200)
            break;
    }
    return steps;
}
__global__ void k(int *o, const int *a)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x, x = a[i], s = 0;
    if (x == 13) {
        o[i] = -13;
        return;
    }
    for (int j = 0; j < x; j++) {
        if (j % 3 == 0)
            continue;
        switch (j & 7) {
        case 0: s += 5; break;
        case 1: s ^= j;
        case 2: s += 2; break;
        case 5: s -= collatz(j); break;
        default: s += a[j] > 50 && a[j + 1] < 50 ? 1 : 3;
        }
        if (s > 300)
            goto out;
    }
    s += 1000;
out:
    o[i] = s + collatz(x);
}
