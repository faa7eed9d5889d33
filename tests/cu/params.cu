// Parameters of every width, a struct by value, all where alignment says.
// launch: 1 32
// arg: out double 32 zero
// arg: signed_char -7
// arg: short 300
// arg: double 2.5
// arg: bool 1
// arg: float -0.125
// arg: long_long 1234567890123
// arg: unsigned_char 200
// arg: int -5
__global__ void k(double *o, signed char a, short b, double c, bool d, float e, long long f, unsigned char g, int h)
{
    o[threadIdx.x] = a + b * c + d * e + (double) f / (g + threadIdx.x) - h;
}
