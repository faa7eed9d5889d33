/* Names and texts of the driver's answers, and the table of a driver that a fork has put out of
 * reach. */
#include "driver/driver.h"

struct result {
    CUresult code;
    const char *name, *text, *python;
};

static const struct result results[] = {
#define CURESULT(code, name, text, python) {code, #name, text, #python},
#include "driver/curesult.def"
#undef CURESULT
};

static const struct result *find(CUresult code)
{
    size_t low = 0, high = ARRAY_LEN(results);
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (results[mid].code < code)
            low = mid + 1;
        else
            high = mid;
    }
    return low < ARRAY_LEN(results) && results[low].code == code ? &results[low] : NULL;
}

const char *drv_result_name(CUresult code)
{
    const struct result *r = find(code);
    return r ? r->name : NULL;
}

const char *drv_result_text(CUresult code)
{
    const struct result *r = find(code);
    return r ? r->text : NULL;
}

const char *drv_result_class(CUresult code)
{
    const struct result *r = find(code);
    return r ? r->python : "Error";
}

/* Never called: its rows make use of the arguments below, so that no parameter is unused. */
static const struct drv_table nowhere;

#define CU(need, name, symbol, params, args)                \
    static CUresult forked_##name params                    \
    {                                                       \
        return DRV_FORKED ? DRV_FORKED : nowhere.name args; \
    }
#include "driver/cuda.def"
#undef CU

const struct drv_table drv_forked = {
#define CU(need, name, symbol, params, args) .name = forked_##name,
#include "driver/cuda.def"
#undef CU
};
