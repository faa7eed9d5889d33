/* The loops that cpu_device.c measures the CPU device against: what one would write without a GPU,
 * for one thread. Compiled with -O3 -march=native and everything that the compiler may contract. */
#include "cpu_native.h"

#include <math.h>

void native_saxpy(float a, const float *x, float *restrict y, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = a * x[i] + y[i];
}

void native_product(const float *a, const float *b, float *restrict c, int n)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            c[i * n + j] = 0;
        for (int k = 0; k < n; k++)
            for (int j = 0; j < n; j++)
                c[i * n + j] += a[i * n + k] * b[k * n + j];
    }
}

void native_mandelbrot(int *out, int width, int height, int most)
{
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            float cx = -2.0f + 3.0f * (float) column / (float) width,
                  cy = -1.0f + 2.0f * (float) row / (float) height;
            float x = 0, y = 0;
            int i = 0;
            for (; i < most && x * x + y * y <= 4.0f; i++) {
                float t = x * x - y * y + cx;
                y = 2 * x * y + cy;
                x = t;
            }
            out[row * width + column] = i;
        }
    }
}

void native_forces(const float *bodies, float *restrict out, int n)
{
    for (int i = 0; i < n; i++) {
        const float *me = bodies + 4 * i;
        float fx = 0, fy = 0, fz = 0;
        for (int j = 0; j < n; j++) {
            const float *other = bodies + 4 * j;
            float dx = other[0] - me[0], dy = other[1] - me[1], dz = other[2] - me[2];
            float r = 1.0f / sqrtf(dx * dx + dy * dy + dz * dz + 1e-3f);
            float f = other[3] * r * r * r;
            fx += dx * f;
            fy += dy * f;
            fz += dz * f;
        }
        out[4 * i] = fx;
        out[4 * i + 1] = fy;
        out[4 * i + 2] = fz;
        out[4 * i + 3] = 0;
    }
}
