/* Headers in memory: a source includes texts that the program has, from no folder at all. What
 * they include is found in the same way.
 *
 * Build: cc headers.c $(pkg-config --cflags --libs runcu) */
#include <runcu/runcu.h>
#include <stdio.h>

static const runcu_header headers[] = {
    {"physics/units.h", "#define KM 1000.0f\n"
                        "#define HOUR 3600.0f\n"},
    /* Beside units.h, so quotes find it without the folder. */
    {"physics/fall.h",
     "#pragma once\n"
     "#include \"units.h\"\n"
     "__device__ float speed(float height) { return sqrtf(2 * 9.81f * height); }\n"
     "__device__ float in_km_per_hour(float v) { return v * HOUR / KM; }\n"},
};

static const char source[] = "#include <physics/fall.h>\n"
                             "__global__ void land(const float *height, float *speeds, int n)\n"
                             "{\n"
                             "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
                             "    if (i < n)\n"
                             "        speeds[i] = in_km_per_hour(speed(height[i]));\n"
                             "}\n";

int main(void)
{
    float height[3] = {1, 10, 100}, speeds[3] = {0};
    runcu_program_params params = {0};
    runcu_module *module = NULL;
    runcu_function *land = NULL;
    params.size = sizeof params;
    params.name = "land.cu";
    params.headers = headers;
    params.header_count = sizeof headers / sizeof headers[0];
    int failed = runcu_module_compile(&module, source, &params) ||
                 runcu_module_get_function(&land, module, "land") ||
                 runcu_launch(land, RUNCU_THREADS(3), runcu_in(height, sizeof height),
                              runcu_out(speeds, sizeof speeds), 3);
    if (failed)
        fprintf(stderr, "%s\n", runcu_error_text());
    for (int i = 0; i < 3 && !failed; i++)
        printf("from %g m: %.1f km/h\n", height[i], speeds[i]);
    runcu_function_release(&land);
    runcu_module_release(&module);
    return failed != 0;
}
