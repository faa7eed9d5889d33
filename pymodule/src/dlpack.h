/* The structs of DLPack 1 (and of the unversioned protocol before it), as far as they are exchanged
 * here: tensors, the two kinds of owned ones, and the table of functions that a type may offer. */
#ifndef BIND_DLPACK_H
#define BIND_DLPACK_H

#include <stdint.h>

enum dl_device_type {
    DL_CPU = 1,
    DL_CUDA = 2,
    DL_CUDA_HOST = 3, /* page-locked */
    DL_CUDA_MANAGED = 13,
};

enum dl_code {
    DL_INT,
    DL_UINT,
    DL_FLOAT,
    DL_OPAQUE,
    DL_BFLOAT,
    DL_COMPLEX,
    DL_BOOL,
    DL_E3M4,
    DL_E4M3,
    DL_E4M3B11FNUZ,
    DL_E4M3FN,
    DL_E4M3FNUZ,
    DL_E5M2,
    DL_E5M2FNUZ,
    DL_E8M0FNU,
    DL_E2M3FN,
    DL_E3M2FN,
    DL_E2M1FN,
};

enum { DL_MAJOR = 1, DL_READ_ONLY = 1, DL_IS_COPIED = 2 };

typedef struct dl_device {
    int32_t type, id;
} dl_device;

typedef struct dl_type {
    uint8_t code, bits;
    uint16_t lanes;
} dl_type;

typedef struct dl_tensor {
    void *data;
    dl_device device;
    int32_t ndim;
    dl_type type;
    int64_t *shape, *strides; /* in elements; strides may be NULL: C order */
    uint64_t byte_offset;
} dl_tensor;

/* Capsules "dltensor". */
typedef struct dl_managed {
    dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_managed *self);
} dl_managed;

/* Capsules "dltensor_versioned". Up to `flags` it is the same in every version. */
typedef struct dl_versioned {
    uint32_t major, minor;
    void *context;
    void (*deleter)(struct dl_versioned *self);
    uint64_t flags;
    dl_tensor tensor;
} dl_versioned;

/* The attribute __dlpack_c_exchange_api__ of a type: a capsule "dlpack_exchange_api". */
typedef struct dl_exchange {
    uint32_t major, minor;
    struct dl_exchange *earlier;
    void *allocate, *managed_from_object, *managed_to_object;
    int (*tensor_from_object)(void *object, dl_tensor *out); /* may be NULL; no order of streams */
    int (*current_stream)(int32_t type, int32_t id, void **out);
} dl_exchange;

#endif
