// y = 2 x + y in C++: a kernel compiled from a string, launched on a std::vector. Build: c++
// saxpy.cpp $(pkg-config --cflags --libs runcu)
#include <runcu/runcu.h>

#include <iostream>
#include <vector>

int main()
{
    std::vector<float> x{1, 2, 3, 4}, y{10, 20, 30, 40};
    const std::size_t bytes = x.size() * sizeof(float);
    runcu_module *module = nullptr;
    runcu_function *saxpy = nullptr;
    bool failed = runcu_module_compile(&module, R"(
            __global__ void saxpy(float a, const float *x, float *y, int n)
            {
                int i = blockIdx.x * blockDim.x + threadIdx.x;
                if (i < n)
                    y[i] = a * x[i] + y[i];
            })",
                                       nullptr) ||
                  runcu_module_get_function(&saxpy, module, "saxpy") ||
                  runcu_launch(saxpy, RUNCU_THREADS(x.size()), 2.0f, runcu_in(x.data(), bytes),
                               runcu_inout(y.data(), bytes), x.size());
    if (failed)
        std::cerr << runcu_error_text() << '\n';
    else
        std::cout << y[0] << ' ' << y[1] << ' ' << y[2] << ' ' << y[3] << '\n';
    runcu_function_release(&saxpy);
    runcu_module_release(&module);
    return failed;
}
