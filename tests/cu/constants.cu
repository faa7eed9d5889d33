// Constant and global tables, initialised with numbers, addresses and strings; a pointer into a struct.
// launch: 1 64
// arg: out int 64 zero
struct entry { short key; const int *where; char text[6]; };
__constant__ int table[8] = {3, 1, 4, 1, 5, 9, 2, 6};
__device__ int data[4] = {100, 200, 300};
__device__ entry entries[2] = {{7, data + 1, "ab"}, {-8, data + 2, "xyz"}};
__global__ void k(int *o)
{
    int i = threadIdx.x;
    const entry &e = entries[i & 1];
    o[i] = table[i & 7] + *e.where + e.key + e.text[i % 6] + data[i & 3];
}
