/* The same work again and again: launches in a captured stream become a graph, which is launched
 * as one.
 *
 * Build: cc graph.c $(pkg-config --cflags --libs runcu) */
#include <runcu/runcu.h>
#include <stdio.h>

static const char source[] = "__global__ void scale(float *x, float a) { x[threadIdx.x] *= a; }\n"
                             "__global__ void shift(float *x, float a) { x[threadIdx.x] += a; }\n";

/* x = 2 x + 1, in the stream. */
static int step(runcu_module *module, runcu_mem *x, runcu_stream *stream)
{
    runcu_function *scale = NULL, *shift = NULL;
    runcu_launch_params four = runcu_on(RUNCU_GRID(1, 1, 1, 4, 1, 1), stream, 0);
    int failed = runcu_module_get_function(&scale, module, "scale") ||
                 runcu_module_get_function(&shift, module, "shift") ||
                 runcu_launch(scale, four, x, 2.0f) || runcu_launch(shift, four, x, 1.0f);
    runcu_function_release(&scale);
    runcu_function_release(&shift);
    return failed;
}

int main(void)
{
    float values[4] = {0, 1, 2, 3};
    runcu_module *module = NULL;
    runcu_mem *x = NULL;
    runcu_stream *stream = NULL;
    runcu_graph *graph = NULL;
    runcu_graph_exec *exec = NULL;
    int failed =
        runcu_module_compile(&module, source, NULL) || runcu_mem_alloc(&x, sizeof values) ||
        runcu_copy_htod(runcu_mem_address(x), values, sizeof values) ||
        runcu_stream_create(&stream, 1, 0) ||
        runcu_stream_begin_capture(stream, RUNCU_CAPTURE_RELAXED) || step(module, x, stream) ||
        runcu_stream_end_capture(&graph, stream) || runcu_graph_instantiate(&exec, graph);
    for (int i = 0; i < 10 && !failed; i++)
        failed = runcu_graph_launch(exec, stream);
    failed = failed || runcu_stream_synchronize(stream) ||
             runcu_copy_dtoh(values, runcu_mem_address(x), sizeof values);
    if (failed)
        fprintf(stderr, "%s\n", runcu_error_text());
    else
        printf("%g %g %g %g\n", values[0], values[1], values[2], values[3]);
    runcu_graph_exec_destroy(&exec);
    runcu_graph_destroy(&graph);
    runcu_stream_destroy(&stream);
    runcu_mem_free(&x);
    runcu_module_release(&module);
    return failed != 0;
}
