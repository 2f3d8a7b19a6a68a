/* The file that holds what streamed transactions do not keep in memory.
 *
 * One file for all of them, without a name from its birth on, so that nothing is left behind
 * whatever kills the process. It only grows at its end; what is discarded is given back to the disk
 * by punching holes (where the file system cannot, once everything is discarded). Its content is
 * never needed after a restart: PostgreSQL sends unfinished transactions again. Owned by one
 * thread; calls wait for the disk. */
#ifndef WALCAST_CDC_SPILL_FILE_H
#define WALCAST_CDC_SPILL_FILE_H

#include "core/core.h"

#include <sys/types.h>

/* The system calls, so that tests can make a disk full or broken. */
typedef struct {
    ssize_t (*write)(int fd, const void *bytes, size_t length, off_t offset);
    ssize_t (*read)(int fd, void *bytes, size_t length, off_t offset);
    int (*punch)(int fd, off_t offset, off_t length);
    int (*truncate)(int fd, off_t length);
} cdc_spill_io;

typedef struct cdc_spill_file cdc_spill_file;

/* Makes the directory when it is missing. `max_bytes` 0: as much as the disk holds. `io` NULL: the
 * system's. TRANSIENT when the directory cannot be used, with what to do. */
CORE_MUST_CHECK cdc_spill_file *cdc_spill_file_new(const char *directory, uint64_t max_bytes,
                                                   const cdc_spill_io *io, core_error *error);
void cdc_spill_file_free(cdc_spill_file *file);

/* Appends the parts one behind the other; `*offset` is where they begin. TRANSIENT when there is no
 * room or the disk fails: nothing was added then. */
CORE_MUST_CHECK bool cdc_spill_file_write(cdc_spill_file *file, const core_slice *parts,
                                          size_t count, uint64_t *offset, core_error *error);
/* All of `length` bytes; TRANSIENT when the disk fails. */
CORE_MUST_CHECK bool cdc_spill_file_read(cdc_spill_file *file, uint64_t offset, uint8_t *target,
                                         size_t length, core_error *error);
/* What one write added is not needed any more. */
void cdc_spill_file_discard(cdc_spill_file *file, uint64_t offset, size_t length);
/* What it takes of the disk. */
uint64_t cdc_spill_file_bytes(const cdc_spill_file *file);

#endif
