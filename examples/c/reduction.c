/* A sum of many numbers in two steps: each block adds up its share in shared memory, then one
 * block adds up what the blocks found.
 *
 * Build: cc reduction.c $(pkg-config --cflags --libs runcu) */
#include <runcu/runcu.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 1 << 20, BLOCK = 256, BLOCKS = 64 };

static const char source[] =
    "template <int block>\n"
    "__global__ void sum(const float *x, float *sums, int n)\n"
    "{\n"
    "    __shared__ float part[block];\n"
    "    float mine = 0;\n"
    "    for (int i = blockIdx.x * block + threadIdx.x; i < n; i += gridDim.x * block)\n"
    "        mine += x[i];\n"
    "    part[threadIdx.x] = mine;\n"
    "    for (int half = block / 2; half > 0; half /= 2) {\n"
    "        __syncthreads();\n"
    "        if (threadIdx.x < half)\n"
    "            part[threadIdx.x] += part[threadIdx.x + half];\n"
    "    }\n"
    "    if (threadIdx.x == 0)\n"
    "        sums[blockIdx.x] = part[0];\n"
    "}\n";

/* *out = the sum of the N numbers at `x`, which stay on the device. */
static int sum(float *out, runcu_function *kernel, runcu_mem *x)
{
    runcu_mem *sums = NULL;
    int failed = runcu_mem_alloc(&sums, BLOCKS * sizeof(float)) ||
                 runcu_launch(kernel, RUNCU_GRID(BLOCKS, 1, 1, BLOCK, 1, 1), x, sums, N) ||
                 runcu_launch(kernel, RUNCU_GRID(1, 1, 1, BLOCK, 1, 1), sums, sums, BLOCKS) ||
                 runcu_copy_dtoh(out, runcu_mem_address(sums), sizeof *out);
    runcu_mem_free(&sums);
    return failed;
}

int main(void)
{
    float *values = (float *) malloc(N * sizeof *values), result = 0;
    runcu_module *module = NULL;
    runcu_function *kernel = NULL;
    runcu_mem *x = NULL;
    for (int i = 0; i < N && values; i++)
        values[i] = (float) (i % 8);
    int failed = !values || runcu_module_compile(&module, source, NULL) ||
                 runcu_module_get_function(&kernel, module, "sum<256>") ||
                 runcu_mem_alloc(&x, N * sizeof *values) ||
                 runcu_copy_htod(runcu_mem_address(x), values, N * sizeof *values) ||
                 sum(&result, kernel, x);
    if (failed)
        fprintf(stderr, "%s\n", values ? runcu_error_text() : "host memory is short");
    else
        printf("%.0f, and by hand %.0f\n", result, 3.5 * N);
    runcu_mem_free(&x);
    runcu_function_release(&kernel);
    runcu_module_release(&module);
    free(values);
    return failed || result != 3.5f * N;
}
