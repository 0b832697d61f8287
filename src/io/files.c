#define _XOPEN_SOURCE 700 /* for realpath */
#include "io/files.h"

#include "io/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Larger single reads and writes are cut by the kernel anyway. */
#define CHUNK ((size_t)1 << 30)

bool bp__file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

bool bp__file_is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- Paths -------------------------------------------------------------------------------------------------------- */

char *bp__path_join(bp_context *ctx, const char *folder, const char *name) {
    if (name[0] == '/' || folder == NULL || folder[0] == '\0' || strcmp(folder, ".") == 0) return bp__strdup(ctx, name);
    size_t n = strlen(folder), m = strlen(name);
    bool slash = folder[n - 1] != '/';
    char *path = bp__alloc(ctx, n + m + 2);
    if (path == NULL) return NULL;
    memcpy(path, folder, n);
    if (slash) path[n++] = '/';
    memcpy(path + n, name, m + 1);
    return path;
}

const char *bp__path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

char *bp__path_folder(bp_context *ctx, const char *path) {
    size_t n = (size_t)(bp__path_base(path) - path);
    if (n == 0) return bp__strdup(ctx, ".");
    while (n > 1 && path[n - 1] == '/') n--;
    char *folder = bp__alloc(ctx, n + 1);
    if (folder == NULL) return NULL;
    memcpy(folder, path, n);
    folder[n] = '\0';
    return folder;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------ */

/* The entry of the path's folder that is most like its last part, written into `hint`; "" when nothing is near. */
static void suggest(bp_context *ctx, const char *path, char *hint, size_t hint_bytes) {
    enum { MOST = 2000 };
    char *names[MOST];
    int n = 0;
    hint[0] = '\0';
    char *folder = bp__path_folder(ctx, path);
    if (folder == NULL) return;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        if (errno == ENOENT)
            (void)snprintf(hint, hint_bytes, "the folder '%s' does not exist; check the path", bp__show(folder).text);
        bp__free(ctx, folder);
        return;
    }
    for (struct dirent *e = readdir(dir); e != NULL && n < MOST; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        names[n] = bp__strdup(ctx, e->d_name);
        if (names[n] == NULL) break;
        n++;
    }
    (void)closedir(dir);
    const char *near = bp__nearest(bp__path_base(path), (const char *const *)names, n);
    if (near != NULL) (void)snprintf(hint, hint_bytes, "did you mean '%s'?", bp__show(near).text);
    for (int i = 0; i < n; i++) bp__free(ctx, names[i]);
    bp__free(ctx, folder);
}

bp_status bp__file_cannot_read(bp_context *ctx, const char *path, int number) {
    if (number != ENOENT && number != ENOTDIR) {
        return bp__fail_at(ctx, BP_IO, (bp__where){.code = "unreadable", .file = path}, "cannot read '%s': %s",
                           bp__show(path).text, bp__show_errno(number).text);
    }
    char hint[160];
    suggest(ctx, path, hint, sizeof hint);
    return bp__fail_at(ctx, BP_NOT_FOUND,
                       (bp__where){.code = "no_such_file",
                                   .file = path,
                                   .hint = hint[0] != '\0' ? hint : "check the name and the working directory"},
                       "the file '%s' does not exist", bp__show(path).text);
}

static bp_status read_fd(bp_context *ctx, const char *path, int fd, size_t limit, char **out, size_t *n) {
    struct stat st;
    if (fstat(fd, &st) != 0) return bp__file_cannot_read(ctx, path, errno);
    if (S_ISDIR(st.st_mode)) {
        return bp__fail_at(ctx, BP_IO, (bp__where){.code = "is_a_directory", .file = path, .hint = "name a file in it"},
                           "'%s' is a directory, not a file", bp__show(path).text);
    }
    /* The size is a first guess only: pipes say 0, and files may grow while they are read. */
    size_t capacity = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : 65536, size = 0;
    if (limit != 0 && capacity > limit + 2) capacity = limit + 2;
    char *data = bp__alloc(ctx, capacity);
    if (data == NULL) return bp__out_of_memory(ctx, capacity);
    for (;;) {
        if (size + 1 >= capacity) {
            char byte; /* a file of exactly the size it said needs no second buffer */
            ssize_t more;
            do more = read(fd, &byte, 1);
            while (more < 0 && errno == EINTR);
            if (more == 0) break;
            size_t larger = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
            char *grown = more < 0 ? NULL : bp__resize(ctx, data, capacity, larger);
            if (grown == NULL) {
                int number = errno;
                bp__free(ctx, data);
                return more < 0 ? bp__file_cannot_read(ctx, path, number) : bp__out_of_memory(ctx, larger);
            }
            data = grown;
            capacity = larger;
            data[size++] = byte;
        }
        ssize_t got = read(fd, data + size, BP__MIN(capacity - size - 1, CHUNK));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            int number = errno;
            bp__free(ctx, data);
            return bp__file_cannot_read(ctx, path, number);
        }
        size += (size_t)got;
        if (limit != 0 && size > limit) {
            bp__free(ctx, data);
            return bp__fail_at(ctx, BP_DATA, (bp__where){.code = "file_too_large", .file = path},
                               "'%s' is larger than the %zu bytes that such a file may have", bp__show(path).text, limit);
        }
        if (got == 0 && size + 1 < capacity) break;
    }
    data[size] = '\0';
    *out = data;
    *n = size;
    return BP_OK;
}

bp_status bp__file_read_all(bp_context *ctx, const char *path, size_t limit, char **out, size_t *n) {
    *out = NULL;
    *n = 0;
    int fd;
    do fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return bp__file_cannot_read(ctx, path, errno);
    bp_status status = read_fd(ctx, path, fd, limit, out, n);
    (void)close(fd);
    return status;
}

/* ---- Writing ------------------------------------------------------------------------------------------------------ */

static bp_status fail_write(bp_context *ctx, const char *path, int number) {
    const char *hint = "check the path and its permissions";
    if (number == ENOSPC || number == EDQUOT) hint = "free some space or write elsewhere";
    if (number == ENOENT) hint = "make its folder first";
    if (number == EISDIR) hint = "name a file, not a directory";
    if (number == ENOMEM) hint = "free some memory";
    return bp__fail_at(ctx, number == ENOMEM ? BP_MEMORY : BP_IO, (bp__where){.code = "cannot_write", .file = path, .hint = hint},
                       "cannot write '%s': %s", bp__show(path).text, bp__show_errno(number).text);
}

/* 0 or an error number. */
static int write_all(int fd, const void *data, size_t n) {
    const char *p = data;
    while (n > 0) {
        ssize_t put = write(fd, p, BP__MIN(n, CHUNK));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno;
        if (put == 0) return EIO;
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

static int write_part(bp_context *ctx, int fd, const bp__bytes *part) {
    if (!part->fill) return write_all(fd, part->data, part->size);
    void *bytes = bp__alloc(ctx, part->size + 1);
    if (!bytes) return ENOMEM;
    part->fill(part->data, bytes);
    int number = write_all(fd, bytes, part->size);
    bp__free(ctx, bytes);
    return number;
}

/* Some file systems and all devices cannot sync and say EINVAL; nothing is lost by that. */
static int sync_fd(int fd) {
    int result;
    do result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP ? errno : 0;
}

static int write_parts(bp_context *ctx, int fd, const bp__bytes *parts, int64_t n_parts) {
    int number = 0;
    for (int64_t i = 0; i < n_parts && number == 0; i++) number = write_part(ctx, fd, &parts[i]);
    if (number == 0) number = sync_fd(fd);
    return number;
}

static int close_fd(int fd) { return close(fd) != 0 && errno != EINTR ? errno : 0; }

/* A rename is on the disk only when its folder is. Folders that cannot be opened for reading are left to the system. */
static int sync_folder(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return 0;
    int number = sync_fd(fd);
    (void)close(fd);
    return number;
}

static bp_status write_directly(bp_context *ctx, const char *path, const bp__bytes *parts, int64_t n_parts) {
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return fail_write(ctx, path, errno);
    int number = write_parts(ctx, fd, parts, n_parts), closed = close_fd(fd);
    if (number == 0) number = closed;
    return number == 0 ? BP_OK : fail_write(ctx, path, number);
}

/* Opens a new file of a free name in `folder`; its path in *temporary. The process number keeps other processes away, the
   counter what a crashed one of the same number left. */
static bp_status open_temporary(bp_context *ctx, const char *path, const char *folder, char **temporary, int *fd) {
    for (int k = 0; k < 1000; k++) {
        char name[64];
        (void)snprintf(name, sizeof name, ".backprop-%ld-%d.tmp", (long)getpid(), k);
        *temporary = bp__path_join(ctx, folder, name);
        if (*temporary == NULL) return bp__out_of_memory(ctx, strlen(folder) + sizeof name);
        *fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd >= 0) return BP_OK;
        int number = errno;
        bp__free(ctx, *temporary);
        *temporary = NULL;
        if (number != EEXIST && number != EINTR) return fail_write(ctx, path, number);
    }
    return fail_write(ctx, path, EEXIST);
}

static bp_status write_regular(bp_context *ctx, const char *path, const struct stat *old, const bp__bytes *parts,
                               int64_t n_parts) {
    if (old != NULL && access(path, W_OK) != 0) return fail_write(ctx, path, errno);
    char *folder = bp__path_folder(ctx, path), *temporary = NULL;
    if (folder == NULL) return bp__out_of_memory(ctx, strlen(path));
    int fd = -1;
    bp_status status = open_temporary(ctx, path, folder, &temporary, &fd);
    if (status == BP_OK) {
        int number = 0;
        if (old != NULL && fchmod(fd, old->st_mode & 07777) != 0 && errno != EPERM) number = errno;
        if (number == 0) number = write_parts(ctx, fd, parts, n_parts);
        int closed = close_fd(fd);
        if (number == 0) number = closed;
        if (number == 0 && rename(temporary, path) != 0) number = errno;
        if (number != 0)
            (void)unlink(temporary);
        else
            number = sync_folder(folder);
        if (number != 0) status = fail_write(ctx, path, number);
    }
    bp__free(ctx, temporary);
    bp__free(ctx, folder);
    return status;
}

bp_status bp__file_write_parts(bp_context *ctx, const char *path, const bp__bytes *parts, int64_t n_parts) {
    struct stat st, link;
    bool exists = stat(path, &st) == 0;
    size_t length = strlen(path);
    if ((exists && S_ISDIR(st.st_mode)) || length == 0 || path[length - 1] == '/')
        return fail_write(ctx, path, length == 0 ? ENOENT : EISDIR);
    if (exists && !S_ISREG(st.st_mode)) return write_directly(ctx, path, parts, n_parts);
    if (exists && lstat(path, &link) == 0 && S_ISLNK(link.st_mode)) {
        char *real = realpath(path, NULL); /* the file behind the link is replaced, not the link */
        if (real == NULL) return fail_write(ctx, path, errno);
        bp_status status = write_regular(ctx, real, &st, parts, n_parts);
        free(real);
        return status;
    }
    return write_regular(ctx, path, exists ? &st : NULL, parts, n_parts);
}

bp_status bp__file_write_atomic(bp_context *ctx, const char *path, const void *data, size_t n) {
    bp__bytes all = {data, n, NULL};
    return bp__file_write_parts(ctx, path, &all, 1);
}

bp_status bp__file_append(bp_context *ctx, const char *path, const void *data, size_t n) {
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0) return fail_write(ctx, path, errno);
    struct stat st;
    bool known = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    int number = write_all(fd, data, n);
    if (number == 0) number = sync_fd(fd);
    if (number != 0 && known && ftruncate(fd, st.st_size) != 0) known = false; /* the write's error is the one to tell */
    int closed = close_fd(fd);
    if (number == 0) number = closed;
    return number == 0 ? BP_OK : fail_write(ctx, path, number);
}

bp_status bp__file_rename(bp_context *ctx, const char *from, const char *to) {
    if (rename(from, to) != 0) {
        return bp__fail_at(ctx, BP_IO, (bp__where){.code = "cannot_rename", .file = from}, "cannot rename '%s' to '%s': %s",
                           bp__show(from).text, bp__show(to).text, bp__show_errno(errno).text);
    }
    char *folder = bp__path_folder(ctx, to);
    if (folder == NULL) return bp__out_of_memory(ctx, strlen(to));
    int number = sync_folder(folder);
    bp__free(ctx, folder);
    return number == 0 ? BP_OK : fail_write(ctx, to, number);
}
