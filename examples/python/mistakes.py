"""What mistakes in a kernel look like on the CPU device: no GPU is needed to find them."""

import numpy as np
import runcu
from runcu import In, InOut
from runcu.driver import CompileError, Context, LogicError

with runcu.device('cpu'):
    try:
        runcu.SourceModule('__global__ void f(float *x)\n{\n    x[0] = y;\n}\n')
    except CompileError as e:
        print(e, end='\n\n')

    mod = runcu.SourceModule("""
    __global__ void shift(const float *x, float *y, int n)
    {
        int i = threadIdx.x;
        if (i < n) y[i] = x[i + 1];  // the last thread reads what is not there
    }
    """)
    x, y = np.zeros(64, np.float32), np.zeros(64, np.float32)
    for arguments in ((In(x), InOut(y)), (x, y, 64)):
        try:
            mod.shift[64](*arguments)
        except TypeError as e:
            print(e, end='\n\n')
    try:
        mod.shift[64](In(x), InOut(y), 64)
        Context.synchronize()
    except LogicError as e:
        print(e)
