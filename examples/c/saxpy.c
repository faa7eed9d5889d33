/* y = 2 x + y: a kernel compiled from a string, launched on plain arrays.
 *
 * Build: cc saxpy.c $(pkg-config --cflags --libs runcu) */
#include <runcu/runcu.h>
#include <stdio.h>

int main(void)
{
    float x[4] = {1, 2, 3, 4}, y[4] = {10, 20, 30, 40};
    runcu_module *module = NULL;
    runcu_function *saxpy = NULL;
    int failed =
        runcu_module_compile(&module,
                             "__global__ void saxpy(float a, const float *x, float *y, int n)\n"
                             "{\n"
                             "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
                             "    if (i < n)\n"
                             "        y[i] = a * x[i] + y[i];\n"
                             "}\n",
                             NULL) ||
        runcu_module_get_function(&saxpy, module, "saxpy") ||
        runcu_launch(saxpy, RUNCU_THREADS(4), 2.0f, runcu_in(x, sizeof x), runcu_inout(y, sizeof y),
                     4);
    if (failed)
        fprintf(stderr, "%s\n", runcu_error_text());
    else
        printf("%g %g %g %g\n", y[0], y[1], y[2], y[3]);
    runcu_function_release(&saxpy);
    runcu_module_release(&module);
    return failed != 0;
}
