/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/listen.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* --- network --- */

struct listen_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

static bool parse_address(const char *text, uint16_t port, struct listen_address *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->storage;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        out->size = sizeof(*v4);
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        out->size = sizeof(*v6);
        return true;
    }
    return false;
}

static const char *bind_remedy(int err)
{
    if (err == EADDRINUSE)
        return "stop the process that has the port (ss -ltnp), or choose another port";
    if (err == EADDRNOTAVAIL)
        return "listen on an address of this machine (ip address)";
    if (err == EACCES || err == EPERM)
        return "choose a port above 1023, or grant CAP_NET_BIND_SERVICE";
    return "check the address and the port";
}

/* Bind and let go again, to learn from errno what gRPC would not tell. */
static int try_bind(const struct listen_address *address)
{
    int on = 1;
    scope_fd int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&address->storage, address->size) != 0 ||
        listen(fd, 1) != 0)
        return errno;
    return 0;
}

enum status listen_network(grpc_server *server, const struct tls_identity *identity,
                           const char *address, uint16_t port, const struct log_ctx *log,
                           uint16_t *out_port)
{
    struct listen_address parsed;

    if (!parse_address(address, port, &parsed)) {
        log_error(log, "cannot listen: not a numeric address; write it as numbers address=%s",
                  address);
        return ST_REFUSED;
    }
    int err = try_bind(&parsed);
    if (err != 0) {
        log_error(log, "cannot listen; %s address=%s port=%u: %s", bind_remedy(err), address,
                  (unsigned)port, strerror(err));
        return err == EACCES || err == EPERM ? ST_REFUSED : ST_IO;
    }
    scope_free char *target =
        mem_format(strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, (unsigned)port);
    grpc_server_credentials *credentials = tls_server_credentials(identity);
    int bound = grpc_server_add_http2_port(server, target, credentials);
    grpc_server_credentials_release(credentials);
    if (bound == 0) {
        log_error(log, "cannot listen; check the address and the port address=%s port=%u", address,
                  (unsigned)port);
        return ST_IO;
    }
    *out_port = (uint16_t)bound;
    return ST_OK;
}

/* --- local --- */

static bool somebody_listens(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    scope_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

/* gRPC binds in a folder that only we may enter; the finished socket moves to its place. */
static enum status bind_in_private(grpc_server *server, const char *folder, const char *path,
                                   const struct log_ctx *log)
{
    scope_free char *socket_path = mem_format("%s/s", folder);
    scope_free char *target = mem_format("unix:%s", socket_path);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    int bound = grpc_server_add_http2_port(server, target, credentials);

    grpc_server_credentials_release(credentials);
    if (bound != 0 && chmod(socket_path, S_IRUSR | S_IWUSR) == 0 && rename(socket_path, path) == 0)
        return ST_OK;
    log_error(log, "cannot make the local socket; check its folder socket=%s: %s", path,
              strerror(errno));
    unlink(socket_path);
    return ST_IO;
}

enum status listen_local(grpc_server *server, const char *path, const struct log_ctx *log)
{
    scope_free char *folder = mem_format("%s.XXXXXX", path);
    struct sockaddr_un address;

    if (strlen(folder) + sizeof("/s") > sizeof(address.sun_path)) {
        log_error(log, "the local socket's path is too long; choose a shorter one socket=%s", path);
        return ST_REFUSED;
    }
    if (somebody_listens(path)) {
        log_error(log, "another process serves the local socket; stop it socket=%s", path);
        return ST_IO;
    }
    if (!mkdtemp(folder)) {
        int err = errno;
        log_error(log, "cannot make the local socket; make its folder writable socket=%s: %s", path,
                  strerror(err));
        return err == EACCES || err == EPERM ? ST_REFUSED : ST_IO;
    }
    enum status st = bind_in_private(server, folder, path, log);
    rmdir(folder);
    return st;
}
