/* runcu-worker: compiles for a process that compiles many sources. Its standard input is a socket
 * to that process; it ends when the other end closes. Not meant to be started by hand. */
#include <stdio.h>
#include <sys/socket.h>

#include "core/remote.h"

int main(void)
{
    int type;
    socklen_t size = sizeof type;
    if (getsockopt(0, SOL_SOCKET, SO_TYPE, &type, &size) == 0)
        return remote_serve(0);
    fputs("runcu-worker is started by runcu when it compiles many sources at once\n", stderr);
    return 2;
}
