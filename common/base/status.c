/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/status.h"

#include <errno.h>

const char *status_name(enum status st)
{
    switch (st) {
    case ST_OK:
        return "ok";
    case ST_AGAIN:
        return "again";
    case ST_GONE:
        return "gone";
    case ST_REFUSED:
        return "refused";
    case ST_BADDATA:
        return "bad data";
    case ST_FULL:
        return "full";
    case ST_IO:
        return "i/o error";
    case ST_STOP:
        return "stopping";
    }
    return "unknown";
}

enum status status_from_errno(int err)
{
    switch (err) {
    case 0:
        return ST_OK;
    case EAGAIN:
    case EINTR:
    case EBUSY:
    case ETXTBSY:
        return ST_AGAIN;
    case ENOENT:
    case ESTALE:
    case ENOTDIR:
    case ECONNRESET:
    case EPIPE:
        return ST_GONE;
    case EACCES:
    case EPERM:
    case EROFS:
        return ST_REFUSED;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return ST_FULL;
    case ELOOP:
    case EXDEV:
    case ENAMETOOLONG:
    case EINVAL:
        return ST_BADDATA;
    default:
        return ST_IO;
    }
}
