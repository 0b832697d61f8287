/* Whole files in and out, run directories and their locks. A file either has its old content or its new one, whatever
   happens meanwhile. */
#ifndef BP__IO_FILES_H
#define BP__IO_FILES_H
#include "core/core.h"

/* Reads all of `path`; *out (freed with bp__free) has *n bytes and a NUL behind them. A file longer than `limit` is refused
   (0: no limit). A missing file is BP_NOT_FOUND, with the nearest name in its folder as the hint. */
bp_status bp__file_read_all(bp_context *ctx, const char *path, size_t limit, char **out, size_t *n);

/* The sentence for a file that open or read refused with this error number. */
bp_status bp__file_cannot_read(bp_context *ctx, const char *path, int number);

typedef struct bp__bytes {
    const void *data;
    size_t size;
    /* Or: puts the bytes of what `data` points to into `to`, when it is written; so that only one part is in memory at a time. */
    void (*fill)(const void *data, void *to);
} bp__bytes;
/* Writes to a temporary name in the same folder, syncs, renames, syncs the folder; on failure the old file is untouched and
   the temporary one is gone. A link is followed; what is no regular file (a pipe, a terminal) is written to directly. */
bp_status bp__file_write_atomic(bp_context *ctx, const char *path, const void *data, size_t n);
bp_status bp__file_write_parts(bp_context *ctx, const char *path, const bp__bytes *parts, int64_t n_parts);
/* Adds to the end (makes the file where there is none) and syncs; on failure the file gets its old length back. */
bp_status bp__file_append(bp_context *ctx, const char *path, const void *data, size_t n);
/* rename(2) with a sentence; syncs the folder. */
bp_status bp__file_rename(bp_context *ctx, const char *from, const char *to);
bool bp__file_exists(const char *path);
bool bp__file_is_dir(const char *path);

/* folder + "/" + name, or name alone where it is absolute or folder is NULL, "" or ".". NULL: out of memory. */
char *bp__path_join(bp_context *ctx, const char *folder, const char *name);
/* The folder a path lies in ("." where it has none). NULL: out of memory. */
char *bp__path_folder(bp_context *ctx, const char *path);
const char *bp__path_base(const char *path); /* what follows the last '/' */

/* Makes `path` and the folders above it; fine where it exists already. */
bp_status bp__dir_make(bp_context *ctx, const char *path);
/* Makes runs/NAME-0001 or the next free number (taken by mkdir, so two processes never get the same) and turns the link
   runs/latest to it. *path is freed with bp__free. */
bp_status bp__dir_number(bp_context *ctx, const char *folder, const char *name, char **path);
/* Deletes temporary files that writers killed in this folder have left; for who holds its lock. */
void bp__dir_sweep(bp_context *ctx, const char *path);
/* Deletes the files of this folder whose names begin so. */
void bp__dir_remove(bp_context *ctx, const char *path, const char *begin);
/* Makes the symbolic link `folder/link` point at `target`, replacing an older link at once; a real file of that name stays. */
bp_status bp__dir_link(bp_context *ctx, const char *folder, const char *link, const char *target);

/* A run directory's `lock`: one line "PID HOST START" (START: the process's start in clock ticks, 0 where unknown, so that
   a reused process number isn't taken for the old owner). Stale locks of dead processes of this host are taken over. */
typedef struct bp__lock {
    char *path; /* NULL: not held */
    int fd;
} bp__lock;
bp_status bp__lock_take(bp_context *ctx, const char *dir, bp__lock *out);
void bp__lock_release(bp_context *ctx, bp__lock *lock); /* fine when not held */

#endif
