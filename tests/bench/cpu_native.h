/* What the CPU device is compared with: plain loops, compiled for this machine alone. */
#ifndef BENCH_CPU_NATIVE_H
#define BENCH_CPU_NATIVE_H

void native_saxpy(float a, const float *x, float *y, int n);
void native_product(const float *a, const float *b, float *c, int n);
void native_mandelbrot(int *out, int width, int height, int most);
/* Bodies are x, y, z, mass. */
void native_forces(const float *bodies, float *out, int n);

#endif
