/* What every file of the project leans on: checked results, magics, small arithmetic.
 *
 * Nothing here allocates or keeps state. Macros are guards only; none hides control flow. */
#ifndef WALCAST_CORE_BASE_H
#define WALCAST_CORE_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caller must look at the result. */
#define CORE_MUST_CHECK __attribute__((warn_unused_result))
/* printf-like: FORMAT and FIRST are 1-based argument numbers. */
#define CORE_PRINTF(FORMAT, FIRST) __attribute__((format(printf, FORMAT, FIRST)))
#define CORE_COUNT_OF(array)       (sizeof(array) / sizeof((array)[0]))

/* A callback gets its context as void*; the magic tells that it is the object we think it is.
 * Put `uint32_t magic;` first in the struct, set it in _new, check it in the callback, clear it
 * in _free. A wrong magic is memory corruption: the process must not go on. */
#define CORE_MAGIC_CHECK(object, expected) assert((object) != NULL && (object)->magic == (expected))

#define CORE_NS_PER_MS INT64_C(1000000)
#define CORE_US_PER_MS INT64_C(1000)
#define CORE_US_PER_S  INT64_C(1000000)
#define CORE_MS_PER_S  INT64_C(1000)

/* A position in PostgreSQL's write-ahead log; 0 is "none". Printed as %X/%X of its halves. */
typedef uint64_t core_lsn;
#define CORE_LSN_FORMAT    "%X/%X"
#define CORE_LSN_ARGS(lsn) (unsigned)((lsn) >> 32), (unsigned)(lsn)

#endif
