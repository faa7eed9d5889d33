// y = a x + y in C++: objects that free themselves, errors as exceptions, and one template whose
// instances are compiled when they are asked for.
// Build: c++ saxpy.cpp $(pkg-config --cflags --libs runcu)
#include <runcu/runcu.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

// What owns an object ends it. Of each kind there is one function that does.
struct Release {
    void operator()(runcu_module *module) const
    {
        runcu_module_release(&module);
    }
    void operator()(runcu_function *function) const
    {
        runcu_function_release(&function);
    }
};
using Module = std::unique_ptr<runcu_module, Release>;
using Function = std::unique_ptr<runcu_function, Release>;

static void check(int status)
{
    if (status)
        throw std::runtime_error(runcu_error_text());
}

static Module compile(const std::string &source)
{
    runcu_module *module = nullptr;
    check(runcu_module_compile(&module, source.c_str(), nullptr));
    return Module(module);
}

static Function kernel(const Module &module, const std::string &name)
{
    runcu_function *function = nullptr;
    check(runcu_module_get_function(&function, module.get(), name.c_str()));
    return Function(function);
}

template <typename T> const char *name_of();
template <> const char *name_of<float>()
{
    return "float";
}
template <> const char *name_of<double>()
{
    return "double";
}
template <> const char *name_of<int>()
{
    return "int";
}

template <typename T>
void axpy(const Module &module, T a, const std::vector<T> &x, std::vector<T> &y)
{
    Function axpy = kernel(module, std::string("axpy<") + name_of<T>() + ">");
    check(runcu_launch(axpy.get(), RUNCU_THREADS(x.size()), a,
                       runcu_in(x.data(), x.size() * sizeof(T)),
                       runcu_inout(y.data(), y.size() * sizeof(T)), static_cast<int>(x.size())));
}

template <typename T> void show(const Module &module, T a)
{
    std::vector<T> x{1, 2, 3, 4}, y{10, 20, 30, 40};
    axpy(module, a, x, y);
    std::cout << name_of<T>() << ':';
    for (T value : y)
        std::cout << ' ' << value;
    std::cout << '\n';
}

int main()
try {
    Module module = compile(R"(
        template <typename T> __global__ void axpy(T a, const T *x, T *y, int n)
        {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n)
                y[i] = a * x[i] + y[i];
        })");
    show(module, 2.0f);
    show(module, 0.5);
    show(module, 3);
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
