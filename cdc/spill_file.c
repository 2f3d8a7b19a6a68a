/* See spill_file.h. Happy path: each write goes to the file's end, rounded up to the file system's
 * block so that its hole frees all of it; once nothing is held the file is cut to nothing. A write
 * that failed in its middle is cut off again. */
#include "cdc/spill_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 4096, PATH_BYTES_MAX = 4096 };

struct cdc_spill_file {
    cdc_spill_io io;
    int fd;
    uint64_t max_bytes;
    uint64_t end;        /* where the next write goes; a multiple of BLOCK_BYTES */
    uint64_t held_bytes; /* written and not discarded, in whole blocks */
    bool cannot_punch;
    char directory[PATH_BYTES_MAX];
};

static int hole_punch(int fd, off_t offset, off_t length) {
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

static const cdc_spill_io system_io = {
    .write = pwrite,
    .read = pread,
    .punch = hole_punch,
    .truncate = ftruncate,
};

static uint64_t blocks_of(uint64_t bytes) {
    return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

/* ---- Life ---- */

/* "a/b/c": makes a, a/b and a/b/c where they are missing. */
static bool directory_make(const char *directory) {
    char path[PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s", directory);
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return false;
        *at = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* A file without a name; where the file system knows no such thing, one that loses it at once. */
static int nameless_open(const char *directory) {
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    char path[PATH_BYTES_MAX];
    int length = snprintf(path, sizeof path, "%s/spill-XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0 && unlink(path) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

cdc_spill_file *cdc_spill_file_new(const char *directory, uint64_t max_bytes,
                                   const cdc_spill_io *io, core_error *error) {
    cdc_spill_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the spill file");
        return NULL;
    }
    file->io = io != NULL ? *io : system_io;
    file->max_bytes = max_bytes;
    bool fits = strlen(directory) < sizeof file->directory;
    (void)snprintf(file->directory, sizeof file->directory, "%s", directory);
    file->fd = fits && directory_make(directory) ? nameless_open(directory) : -1;
    if (file->fd >= 0)
        return file;
    (void)core_error_set(error, CORE_ERROR_TRANSIENT,
                         "cdc.spill_dir \"%s\" cannot hold a file: %s; name a directory that this "
                         "process may write",
                         directory, fits ? strerror(errno) : "the path is too long");
    free(file);
    return NULL;
}

void cdc_spill_file_free(cdc_spill_file *file) {
    if (file == NULL)
        return;
    (void)close(file->fd);
    free(file);
}

uint64_t cdc_spill_file_bytes(const cdc_spill_file *file) {
    return file->cannot_punch ? file->end : file->held_bytes;
}

/* ---- Write ---- */

static bool bytes_write(cdc_spill_file *file, core_slice bytes, uint64_t offset,
                        core_error *error) {
    for (size_t done = 0; done < bytes.length;) {
        ssize_t wrote = file->io.write(file->fd, bytes.data + done, bytes.length - done,
                                       (off_t)(offset + done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return core_error_set(error, CORE_ERROR_TRANSIENT,
                                  "writing %zu bytes to the spill file in cdc.spill_dir \"%s\", "
                                  "which holds %llu: %s; make room there or name a larger disk",
                                  bytes.length, file->directory,
                                  (unsigned long long)cdc_spill_file_bytes(file),
                                  wrote < 0 ? strerror(errno) : "nothing was written");
        done += (size_t)wrote;
    }
    return true;
}

static bool room_check(const cdc_spill_file *file, uint64_t length, core_error *error) {
    if (file->max_bytes == 0 || (cdc_spill_file_bytes(file) <= file->max_bytes &&
                                 length <= file->max_bytes - cdc_spill_file_bytes(file)))
        return true;
    return core_error_set(error, CORE_ERROR_TRANSIENT,
                          "transactions in progress take more than cdc.spill_max_bytes (%llu) in "
                          "cdc.spill_dir \"%s\"; raise it",
                          (unsigned long long)file->max_bytes, file->directory);
}

bool cdc_spill_file_write(cdc_spill_file *file, const core_slice *parts, size_t count,
                          uint64_t *offset, core_error *error) {
    uint64_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += parts[i].length;
    if (!room_check(file, blocks_of(length), error))
        return false;
    uint64_t at = file->end;
    for (size_t i = 0; i < count; i++) {
        if (!bytes_write(file, parts[i], at, error)) {
            (void)file->io.truncate(file->fd, (off_t)file->end); /* failed already; best effort */
            return false;
        }
        at += parts[i].length;
    }
    *offset = file->end;
    file->end += blocks_of(length);
    file->held_bytes += blocks_of(length);
    return true;
}

/* ---- Read, discard ---- */

bool cdc_spill_file_read(cdc_spill_file *file, uint64_t offset, uint8_t *target, size_t length,
                         core_error *error) {
    for (size_t done = 0; done < length;) {
        ssize_t got = file->io.read(file->fd, target + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return core_error_set(error, CORE_ERROR_TRANSIENT,
                                  "reading %zu bytes at %llu of the spill file in cdc.spill_dir "
                                  "\"%s\": %s",
                                  length, (unsigned long long)offset, file->directory,
                                  got < 0 ? strerror(errno) : "the file ends before");
        done += (size_t)got;
    }
    return true;
}

void cdc_spill_file_discard(cdc_spill_file *file, uint64_t offset, size_t length) {
    uint64_t blocks = blocks_of(length);
    assert(blocks <= file->held_bytes && offset + blocks <= file->end);
    file->held_bytes -= blocks;
    if (file->held_bytes > 0) {
        file->cannot_punch =
            file->cannot_punch || file->io.punch(file->fd, (off_t)offset, (off_t)blocks) != 0;
    } else if (file->io.truncate(file->fd, 0) == 0) {
        file->end = 0;
        file->cannot_punch = false;
    }
}
