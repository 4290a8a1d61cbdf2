/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/attributes/attributes.h"

#include "agent/attributes/acl.h"
#include "agent/attributes/fd_path.h"
#include "agent/attributes/identity.h"
#include "agent/attributes/xattr.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "proto/types.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SET_ID_BITS 06000u

static void scope_free_message(Coterie__V1__Attributes **message)
{
    if (*message)
        coterie__v1__attributes__free_unpacked(*message, NULL);
}

#define scope_message __attribute__((cleanup(scope_free_message)))

/* Log the cause that errno tells, and give the status back. */
static enum status report(const struct log_ctx *log, const char *name, const char *what,
                          const char *which, enum status st)
{
    scope(buf) struct buf escaped = {0};
    int err = errno;

    buf_append_escaped(&escaped, name, strlen(name));
    log_warn(log, "%s%s%s file=\"%s\": %s", what, which ? " " : "", which ? which : "",
             buf_text(&escaped), strerror(err));
    return st;
}

/* --- bytes --- */

static struct span bytes_of(const ProtobufCBinaryData *data)
{
    return span_of(data->data, data->len);
}

static const char *xattrs_problem(const Coterie__V1__Attributes *message)
{
    for (size_t i = 0; i < message->n_xattrs; i++) {
        struct span name = bytes_of(&message->xattrs[i]->name);
        char text[NAME_SIZE_MAX + 1];

        if (name.size == 0 || name.size > NAME_SIZE_MAX || memchr(name.data, '\0', name.size))
            return "extended attribute's name is empty, too long or holds a zero byte";
        memcpy(text, name.data, name.size);
        text[name.size] = '\0';
        if (!xattr_name_replicates(text))
            return "extended attribute is none that replicates";
        if (message->xattrs[i]->value.len > XATTR_VALUE_SIZE_MAX)
            return "extended attribute's value is too long";
        if (i > 0) {
            struct span before = bytes_of(&message->xattrs[i - 1]->name);
            size_t common = before.size < name.size ? before.size : name.size;
            int order = memcmp(before.data, name.data, common);

            if (order > 0 || (order == 0 && before.size >= name.size))
                return "extended attributes are not in order";
        }
    }
    return NULL;
}

static const char *message_problem(const Coterie__V1__Attributes *message)
{
    const char *problem;

    if (message->mode > 07777)
        return "mode has more than the twelve permission bits";
    if (!identity_name_is_valid(message->owner) || !identity_name_is_valid(message->group))
        return "owner or group is not a name";
    problem = acl_text_problem(bytes_of(&message->acl_access));
    if (!problem)
        problem = acl_text_problem(bytes_of(&message->acl_default));
    return problem ? problem : xattrs_problem(message);
}

/* NULL and the broken rule, or the message. */
static Coterie__V1__Attributes *unpack(struct span bytes, const char **out_problem)
{
    Coterie__V1__Attributes *message;

    *out_problem = "attributes are too long";
    if (bytes.size > ATTRIBUTES_SIZE_MAX)
        return NULL;
    message = coterie__v1__attributes__unpack(NULL, bytes.size, bytes.data);
    *out_problem = message ? message_problem(message) : "attributes are not a message";
    if (*out_problem) {
        scope_free_message(&message);
        return NULL;
    }
    return message;
}

const char *attributes_problem(struct span bytes)
{
    const char *problem;
    Coterie__V1__Attributes *message = unpack(bytes, &problem);

    scope_free_message(&message);
    return problem;
}

/* --- what applying leaves here --- */

struct owners {
    uid_t uid;
    gid_t gid;
    bool owner_known;
    bool group_known;
};

static struct owners project_owners(const Coterie__V1__Attributes *message,
                                    const struct attributes_fallback *fallback)
{
    struct owners o = {0};
    uint32_t number;

    o.owner_known = identity_number(IDENTITY_USER, message->owner, &number);
    o.uid = o.owner_known ? number : fallback->uid;
    o.group_known = identity_number(IDENTITY_GROUP, message->group, &number);
    o.gid = o.group_known ? number : fallback->gid;
    return o;
}

static uint32_t project_mode(const Coterie__V1__Attributes *message, const struct owners *o)
{
    return o->owner_known && o->group_known ? message->mode : message->mode & ~SET_ID_BITS;
}

/* --- reading --- */

/* What stands on disk, as the message's fields. */
struct present {
    struct stat st;
    struct identity_name owner;
    struct identity_name group;
    struct buf acl_access;
    struct buf acl_default;
    struct xattrs xattrs;
};

static void present_fini(struct present *p)
{
    buf_fini(&p->acl_access);
    buf_fini(&p->acl_default);
    xattrs_fini(&p->xattrs);
}

static enum status read_present(int fd, const char *name, const struct log_ctx *log,
                                struct present *out)
{
    enum status st;

    if (fstat(fd, &out->st) < 0)
        return report(log, name, "stat failed", NULL, status_from_errno(errno));
    out->owner = identity_name(IDENTITY_USER, out->st.st_uid);
    out->group = identity_name(IDENTITY_GROUP, out->st.st_gid);
    st = xattrs_read(fd, &out->xattrs);
    if (st != ST_OK)
        return report(log, name, "extended attributes not read", NULL, st);
    if (S_ISLNK(out->st.st_mode))
        return ST_OK;
    st = acl_text_read(fd, ACL_WHICH_ACCESS, &out->acl_access);
    if (st == ST_OK && S_ISDIR(out->st.st_mode))
        st = acl_text_read(fd, ACL_WHICH_DEFAULT, &out->acl_default);
    return st == ST_OK ? ST_OK : report(log, name, "acl not read", NULL, st);
}

/* Put the recorded fields back that stand as their projection. */
static void keep_recorded(const Coterie__V1__Attributes *recorded,
                          const struct attributes_fallback *fallback, const struct present *p,
                          Coterie__V1__Attributes *message)
{
    struct owners o = project_owners(recorded, fallback);

    if (o.uid == p->st.st_uid)
        message->owner = recorded->owner;
    if (o.gid == p->st.st_gid)
        message->group = recorded->group;
    if (project_mode(recorded, &o) == message->mode && o.uid == p->st.st_uid &&
        o.gid == p->st.st_gid)
        message->mode = recorded->mode;
    if (acl_text_is_projection(bytes_of(&recorded->acl_access), buf_span(&p->acl_access)))
        message->acl_access = recorded->acl_access;
    if (acl_text_is_projection(bytes_of(&recorded->acl_default), buf_span(&p->acl_default)))
        message->acl_default = recorded->acl_default;
}

static enum status pack(Coterie__V1__Attributes *message, const struct xattrs *xattrs,
                        struct buf *out)
{
    scope_free Coterie__V1__ExtendedAttribute *items =
        mem_new(xattrs->count + 1, sizeof *items);
    scope_free Coterie__V1__ExtendedAttribute **pointers =
        mem_new(xattrs->count + 1, sizeof *pointers);
    size_t size;

    for (size_t i = 0; i < xattrs->count; i++) {
        struct xattr *x = &xattrs->items[i];

        coterie__v1__extended_attribute__init(&items[i]);
        items[i].name = (ProtobufCBinaryData){.len = strlen(x->name), .data = (uint8_t *)x->name};
        items[i].value = (ProtobufCBinaryData){.len = x->value_size, .data = x->value};
        pointers[i] = &items[i];
    }
    message->n_xattrs = xattrs->count;
    message->xattrs = pointers;
    size = coterie__v1__attributes__get_packed_size(message);
    if (size > ATTRIBUTES_SIZE_MAX) {
        errno = E2BIG;
        return ST_FULL;
    }
    coterie__v1__attributes__pack(message, buf_extend(out, size));
    return ST_OK;
}

enum status attributes_read(int fd, const struct attributes_fallback *fallback,
                            struct span recorded, const char *name, const struct log_ctx *log,
                            struct buf *out)
{
    scope(present) struct present p = {0};
    const char *problem = NULL;
    scope_message Coterie__V1__Attributes *before =
        recorded.size > 0 ? unpack(recorded, &problem) : NULL;
    Coterie__V1__Attributes message;
    enum status st = read_present(fd, name, log, &p);

    if (st != ST_OK)
        return st;
    coterie__v1__attributes__init(&message);
    message.mode = p.st.st_mode & 07777u;
    message.owner = p.owner.text;
    message.group = p.group.text;
    if (!S_ISDIR(p.st.st_mode))
        message.modified_ns = p.st.st_mtim.tv_sec * 1000000000 + p.st.st_mtim.tv_nsec;
    message.acl_access =
        (ProtobufCBinaryData){.len = p.acl_access.size, .data = p.acl_access.data};
    message.acl_default =
        (ProtobufCBinaryData){.len = p.acl_default.size, .data = p.acl_default.data};
    if (before)
        keep_recorded(before, fallback, &p, &message);
    st = pack(&message, &p.xattrs, out);
    return st == ST_OK ? ST_OK : report(log, name, "attributes too large", NULL, st);
}

/* --- applying --- */

struct job {
    int fd;
    struct stat st; /* as it is before */
    const char *name;
    const struct log_ctx *log;
    const Coterie__V1__Attributes *message;
};

static enum status apply_owners(const struct job *job, const struct owners *o)
{
    if (!o->owner_known || !o->group_known) {
        scope(buf) struct buf escaped = {0};

        buf_append_escaped(&escaped, job->name, strlen(job->name));
        log_warn(job->log,
                 "owner is unknown here, the directory's is used file=\"%s\" owner=%s%s group=%s%s",
                 buf_text(&escaped), job->message->owner, o->owner_known ? "" : "(unknown)",
                 job->message->group, o->group_known ? "" : "(unknown)");
    }
    if (o->uid == job->st.st_uid && o->gid == job->st.st_gid)
        return ST_OK;
    if (fchownat(job->fd, "", o->uid, o->gid, AT_EMPTY_PATH) < 0)
        return report(job->log, job->name, "chown failed", NULL, status_from_errno(errno));
    return ST_OK;
}

static enum status apply_mode(const struct job *job, uint32_t mode)
{
    if (chmod(fd_path(job->fd).text, mode) < 0)
        return report(job->log, job->name, "chmod failed", NULL, status_from_errno(errno));
    return ST_OK;
}

static enum status apply_acl(const struct job *job, enum acl_which which,
                             const ProtobufCBinaryData *text)
{
    size_t unknown_count;
    enum status st = acl_text_apply(job->fd, which, bytes_of(text), &unknown_count);

    if (st != ST_OK)
        return report(job->log, job->name, "acl not set", NULL, st);
    if (unknown_count > 0) {
        scope(buf) struct buf escaped = {0};

        buf_append_escaped(&escaped, job->name, strlen(job->name));
        log_warn(job->log, "acl entries of names unknown here left out file=\"%s\" count=%zu",
                 buf_text(&escaped), unknown_count);
    }
    return ST_OK;
}

static enum status apply_xattrs(const struct job *job)
{
    scope(xattrs) struct xattrs wanted = {0};
    const char *which = NULL;
    enum status st;

    wanted.items = mem_new(job->message->n_xattrs + 1, sizeof *wanted.items);
    for (; wanted.count < job->message->n_xattrs; wanted.count++) {
        const Coterie__V1__ExtendedAttribute *from = job->message->xattrs[wanted.count];
        struct xattr *to = &wanted.items[wanted.count];

        to->name = mem_format("%.*s", (int)from->name.len, (const char *)from->name.data);
        to->value = mem_copy(from->value.data, from->value.len);
        to->value_size = from->value.len;
    }
    st = xattrs_apply(job->fd, &wanted, &which);
    return st == ST_OK ? ST_OK
                       : report(job->log, job->name, "extended attribute not set", which, st);
}

/* Nanoseconds to a timespec, downwards for times before 1970. */
static struct timespec timespec_of(int64_t ns)
{
    int64_t second = ns / 1000000000;
    int64_t rest = ns % 1000000000;

    if (rest < 0) {
        rest += 1000000000;
        second--;
    }
    return (struct timespec){.tv_sec = second, .tv_nsec = rest};
}

static enum status apply_time(const struct job *job)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, timespec_of(job->message->modified_ns)};

    if (utimensat(job->fd, "", times, AT_EMPTY_PATH) < 0)
        return report(job->log, job->name, "time not set", NULL, status_from_errno(errno));
    return ST_OK;
}

enum status attributes_apply(int fd, struct span bytes, const struct attributes_fallback *fallback,
                             const char *name, const struct log_ctx *log)
{
    const char *problem;
    scope_message Coterie__V1__Attributes *message = unpack(bytes, &problem);
    struct job job = {.fd = fd, .name = name, .log = log, .message = message};
    struct owners o;
    enum status st;

    if (!message) {
        errno = EINVAL;
        return report(log, name, "attributes refused:", problem, ST_BADDATA);
    }
    if (fstat(fd, &job.st) < 0)
        return report(log, name, "stat failed", NULL, status_from_errno(errno));
    /* Each step undoes something of the one before: chown clears set-id bits and the capability,
     * chmod rewrites the ACL's mask, everything moves the times. */
    o = project_owners(message, fallback);
    st = apply_owners(&job, &o);
    if (st == ST_OK && !S_ISLNK(job.st.st_mode)) {
        st = apply_mode(&job, project_mode(message, &o));
        if (st == ST_OK)
            st = apply_acl(&job, ACL_WHICH_ACCESS, &message->acl_access);
        if (st == ST_OK && S_ISDIR(job.st.st_mode))
            st = apply_acl(&job, ACL_WHICH_DEFAULT, &message->acl_default);
    }
    if (st == ST_OK)
        st = apply_xattrs(&job);
    if (st == ST_OK && !S_ISDIR(job.st.st_mode))
        st = apply_time(&job);
    return st;
}
