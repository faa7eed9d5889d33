/* What kernels print on a GPU: its driver writes that to the process's standard output, at
 * launches and waits. Where the program wants such text for itself, the descriptor is listened to
 * around these calls, once a kernel that prints has been launched. */
#include "core.h"

#include "base/capture.h"

static _Thread_local bool is_listening;

void core_listen_begin(void)
{
    is_listening = core_has_print() && capture_begin();
}

CUresult core_listen_end(CUresult code)
{
    struct str text = {0};
    if (!is_listening)
        return code;
    is_listening = false;
    capture_end(&text);
    if (text.len)
        core_print(text.at, text.len);
    str_fini(&text);
    return code;
}
