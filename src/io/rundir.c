/* Run directories: numbered names, the link to the newest, the lock. Declared in files.h. */
#include "io/files.h"
#include "io/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bp_status fail_dir(bp_context *ctx, const char *path, int number) {
    return bp__fail_at(ctx, BP_IO,
                       (bp__where){.code = "cannot_make_directory", .file = path, .hint = "check the path and its permissions"},
                       "cannot make the directory '%s': %s", bp__show(path).text, bp__show_errno(number).text);
}

bp_status bp__dir_make(bp_context *ctx, const char *path) {
    char *part = bp__strdup(ctx, path);
    if (part == NULL) return bp__out_of_memory(ctx, strlen(path) + 1);
    size_t n = strlen(part);
    int number = n == 0 ? ENOENT : 0;
    for (size_t i = 1; i <= n && number == 0; i++) {
        if (part[i] != '/' && part[i] != '\0') continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, 0777) != 0) {
            int refused = errno; /* a folder that exists may also answer EROFS, EACCES or EISDIR */
            if (!bp__file_is_dir(part)) number = refused == EEXIST ? ENOTDIR : refused;
        }
        part[i] = kept;
    }
    bp__free(ctx, part);
    return number == 0 ? BP_OK : fail_dir(ctx, path, number);
}

bp_status bp__dir_link(bp_context *ctx, const char *folder, const char *link, const char *target) {
    char name[64];
    (void)snprintf(name, sizeof name, ".backprop-%ld.link", (long)getpid());
    char *temporary = bp__path_join(ctx, folder, name), *path = bp__path_join(ctx, folder, link);
    bp_status status = BP_OK;
    struct stat st;
    if (temporary == NULL || path == NULL) {
        status = bp__out_of_memory(ctx, strlen(folder) + strlen(link));
    } else if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode)) {
        bp__log(ctx, BP_LOG_WARNING, "'%s' is not a link, so it is left as it is", bp__show(path).text);
    } else {
        (void)unlink(temporary);
        int number = symlink(target, temporary) != 0 ? errno : 0;
        if (number == 0 && rename(temporary, path) != 0) {
            number = errno;
            (void)unlink(temporary);
        }
        /* File systems without links lose a convenience, not a run. */
        if (number == EPERM || number == ENOTSUP || number == ENOSYS)
            bp__log(ctx, BP_LOG_WARNING, "no link '%s': %s", bp__show(path).text, bp__show_errno(number).text);
        else if (number != 0)
            status = bp__fail_at(ctx, BP_IO, (bp__where){.code = "cannot_link", .file = path}, "cannot make the link '%s': %s",
                                 bp__show(path).text, bp__show_errno(number).text);
    }
    bp__free(ctx, temporary);
    bp__free(ctx, path);
    return status;
}

static void remove_named(bp_context *ctx, const char *path, const char *begin, const char *end) {
    size_t n_begin = strlen(begin), n_end = strlen(end);
    DIR *dir = opendir(path);
    if (dir == NULL) return;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        size_t n = strlen(e->d_name);
        if (n <= n_begin + n_end || strncmp(e->d_name, begin, n_begin) != 0 || strcmp(e->d_name + n - n_end, end) != 0) continue;
        char *file = bp__path_join(ctx, path, e->d_name);
        if (file) (void)unlink(file);
        bp__free(ctx, file);
    }
    closedir(dir);
}

/* As bp__file_write_parts names them. */
void bp__dir_sweep(bp_context *ctx, const char *path) { remove_named(ctx, path, ".backprop-", ".tmp"); }
void bp__dir_remove(bp_context *ctx, const char *path, const char *begin) { remove_named(ctx, path, begin, ""); }

/* The largest number among the entries NAME-digits of the folder, 0 when there is none. */
static long largest_number(const char *folder, const char *name) {
    DIR *dir = opendir(folder);
    if (dir == NULL) return 0;
    size_t n = strlen(name);
    long largest = 0;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strncmp(e->d_name, name, n) != 0 || e->d_name[n] != '-') continue;
        const char *digits = e->d_name + n + 1;
        size_t length = strlen(digits);
        if (length == 0 || length > 9 || strspn(digits, "0123456789") != length) continue;
        long number = strtol(digits, NULL, 10);
        if (number > largest) largest = number;
    }
    (void)closedir(dir);
    return largest;
}

static bp_status take_number(bp_context *ctx, const char *folder, const char *name, char **path) {
    size_t bytes = strlen(name) + 16;
    char *numbered = bp__alloc(ctx, bytes);
    if (numbered == NULL) return bp__out_of_memory(ctx, bytes);
    bp_status status = BP_OK;
    long number = largest_number(folder, name);
    for (;;) {
        (void)snprintf(numbered, bytes, "%s-%04ld", name, ++number);
        *path = bp__path_join(ctx, folder, numbered);
        if (*path == NULL) {
            status = bp__out_of_memory(ctx, bytes);
            break;
        }
        if (mkdir(*path, 0777) == 0) {
            status = bp__dir_link(ctx, folder, "latest", numbered);
            break;
        }
        int refused = errno;
        if (refused != EEXIST || number >= 999999999) {
            status = fail_dir(ctx, *path, refused);
            break;
        }
        bp__free(ctx, *path);
        *path = NULL;
    }
    if (status != BP_OK) {
        bp__free(ctx, *path);
        *path = NULL;
    }
    bp__free(ctx, numbered);
    return status;
}

bp_status bp__dir_number(bp_context *ctx, const char *folder, const char *name, char **path) {
    *path = NULL;
    BP_TRY(bp__dir_make(ctx, folder));
    char *clean = bp__strdup(ctx, name[0] != '\0' ? name : "run");
    if (clean == NULL) return bp__out_of_memory(ctx, strlen(name) + 1);
    /* A name made from a file's: whatever would be awkward in a shell becomes '-', and 200 bytes are enough. */
    for (char *c = clean; *c != '\0'; c++) {
        unsigned char u = (unsigned char)*c;
        if (u <= ' ' || u == 0x7F || strchr("/\\'\"$`*?<>|&;:", *c) != NULL) *c = '-';
    }
    if (clean[0] == '.' || clean[0] == '-') clean[0] = '_';
    if (strlen(clean) > 200) clean[200] = '\0';
    bp_status status = take_number(ctx, folder, clean, path);
    bp__free(ctx, clean);
    return status;
}

/* ---- Lock --------------------------------------------------------------------------------------------------------- */

/* Field 22 of /proc/PID/stat, which follows the name in parentheses; 0 where the system has no such file. */
static unsigned long long process_start(long pid, char *state) {
    char path[64], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "r");
    if (f == NULL) return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    char *p = strrchr(text, ')');
    if (state && p && p[1]) *state = p[2];
    for (int field = 2; p != NULL && field < 22; field++) p = strchr(p + 1, ' ');
    return p == NULL ? 0 : strtoull(p + 1, NULL, 10);
}

static void this_host(char out[256]) {
    if (gethostname(out, 255) != 0 || out[0] == '\0') memcpy(out, "localhost", 10);
    out[255] = '\0';
    for (char *c = out; *c != '\0'; c++)
        if (*c <= ' ') *c = '_';
}

typedef struct owner {
    long pid;
    char host[256];
    unsigned long long start;
} owner;

static bool read_owner(int fd, owner *o) {
    char text[512];
    *o = (owner){0};
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0) return false;
    text[n] = '\0';
    char *end;
    o->pid = strtol(text, &end, 10);
    while (*end == ' ') end++;
    size_t length = strcspn(end, " \n");
    if (o->pid <= 0 || length == 0 || length >= sizeof o->host) return false;
    memcpy(o->host, end, length);
    o->start = strtoull(end + length, NULL, 10);
    return true;
}

static bool owner_lives(const owner *o, const char *host) {
    if (strcmp(o->host, host) != 0) return true; /* nobody here can tell; the sentence says what to do */
    if (kill((pid_t)o->pid, 0) != 0 && errno == ESRCH) return false;
    char state = 0;
    unsigned long long start = process_start(o->pid, &state);
    return state != 'Z' && state != 'X' && (o->start == 0 || start == 0 || o->start == start); /* Z: dead, nobody has asked yet */
}

static bp_status fail_locked(bp_context *ctx, const char *dir, const char *path, const owner *o) {
    return bp__fail_at(ctx, BP_IO,
                       (bp__where){.code = "run_in_use",
                                   .file = path,
                                   .hint = "wait until it ends, or delete the file 'lock' if it is surely dead"},
                       "the run '%s' is in use by process %ld on host %s", bp__show(dir).text, o->pid, bp__show(o->host).text);
}

/* One try. *again: the file was deleted by its owner between opening and locking. */
static bp_status try_lock(bp_context *ctx, const char *dir, const char *path, int *out, bool *again) {
    *again = false;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        return bp__fail_at(ctx, BP_IO, (bp__where){.code = "cannot_lock", .file = path}, "cannot lock the run '%s': %s",
                           bp__show(dir).text, bp__show_errno(errno).text);
    }
    /* The kernel's lock settles who takes over a stale file; the text in it tells people and other hosts. */
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool refused = fcntl(fd, F_SETLK, &whole) != 0 && (errno == EACCES || errno == EAGAIN);
    struct stat here, there;
    if (fstat(fd, &here) != 0 || stat(path, &there) != 0 || here.st_ino != there.st_ino || here.st_dev != there.st_dev) {
        (void)close(fd);
        *again = true;
        return BP_OK;
    }
    char host[256], line[400];
    this_host(host);
    owner o;
    bool known = read_owner(fd, &o);
    if (refused || (known && owner_lives(&o, host))) {
        bp_status status = fail_locked(ctx, dir, path, &o);
        (void)close(fd);
        return status;
    }
    int n = snprintf(line, sizeof line, "%ld %s %llu\n", (long)getpid(), host, process_start((long)getpid(), NULL));
    if (ftruncate(fd, 0) != 0 || pwrite(fd, line, (size_t)n, 0) != n) {
        bp_status status =
            bp__fail_at(ctx, BP_IO, (bp__where){.code = "cannot_lock", .file = path}, "cannot write the lock of the run '%s': %s",
                        bp__show(dir).text, bp__show_errno(errno).text);
        (void)close(fd);
        return status;
    }
    *out = fd;
    return BP_OK;
}

static const char *ctx_code(const bp_context *ctx) {
    bp_error e = {.size = sizeof e};
    bp_context_get_error(ctx, &e);
    return e.code ? e.code : "";
}

bp_status bp__lock_take(bp_context *ctx, const char *dir, bp__lock *out) {
    *out = (bp__lock){NULL, -1};
    char *path = bp__path_join(ctx, dir, "lock");
    if (path == NULL) return bp__out_of_memory(ctx, strlen(dir) + 6);
    bp_status status = BP_OK;
    bool again = true;
    for (int k = 0; k < 100 && again && status == BP_OK; k++) status = try_lock(ctx, dir, path, &out->fd, &again);
    for (int k = 0; k < 10 && status == BP_IO && strcmp(ctx_code(ctx), "run_in_use") == 0;
         k++) { /* killed just now: it takes a moment */
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        status = try_lock(ctx, dir, path, &out->fd, &again);
    }
    if (status == BP_OK && again)
        status = bp__fail_at(ctx, BP_IO, (bp__where){.code = "cannot_lock", .file = path},
                             "cannot lock the run '%s': others keep doing so", bp__show(dir).text);
    if (status != BP_OK) {
        bp__free(ctx, path);
        out->fd = -1;
        return status;
    }
    out->path = path;
    return BP_OK;
}

void bp__lock_release(bp_context *ctx, bp__lock *lock) {
    if (lock->path == NULL) return;
    (void)unlink(lock->path); /* before the kernel's lock goes, so that nobody takes a file about to vanish */
    (void)close(lock->fd);
    bp__free(ctx, lock->path);
    *lock = (bp__lock){NULL, -1};
}
