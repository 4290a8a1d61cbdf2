/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/root/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

bool lease_take(int fd)
{
    /* A lease that is broken sends SIGIO, which would end the process: SIGURG is ignored. */
    fcntl(fd, F_SETSIG, SIGURG);
    return fcntl(fd, F_SETLEASE, F_RDLCK) == 0 || errno != EAGAIN;
}

bool lease_undisturbed(int fd)
{
    /* A lease being broken reads as the type it shall become. Without leases: F_UNLCK from the
     * start, and EAGAIN tells the two apart. */
    return fcntl(fd, F_GETLEASE) == F_RDLCK || fcntl(fd, F_SETLEASE, F_RDLCK) == 0 ||
           errno != EAGAIN;
}

void lease_release(int fd)
{
    fcntl(fd, F_SETLEASE, F_UNLCK);
}

bool lease_is_free(int fd)
{
    bool free = lease_take(fd);

    lease_release(fd);
    return free;
}

bool lease_can_tell(int fd)
{
    /* as in lease_take(); releasing a lease forgets the signal */
    fcntl(fd, F_SETSIG, SIGURG);
    bool can = fcntl(fd, F_SETLEASE, F_RDLCK) == 0 || errno == EAGAIN;

    lease_release(fd);
    return can;
}
