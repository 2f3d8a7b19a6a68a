/* The structured log: one line an event, text or JSON, to standard error.
 *
 * A line is time, level, room, message and fields. Lines are written whole with one write(2), so
 * threads do not mix. The same (room, message) more than `burst` times a second is counted and told
 * as "repeated N times" instead of flooding. Control characters in values are escaped. Secrets are
 * the caller's duty: pass redacted values. Safe from every thread. */
#ifndef WALCAST_CORE_LOG_H
#define WALCAST_CORE_LOG_H

#include "core/clock.h"
#include "core/slice.h"

typedef struct core_log core_log;

typedef enum { CORE_LOG_DEBUG, CORE_LOG_INFO, CORE_LOG_WARN, CORE_LOG_ERROR } core_log_level;

/* A field's value: text or number. Built with the helpers below, in the call. */
typedef struct {
    const char *name;
    const char *text; /* NULL: `number` counts */
    int64_t number;
} core_log_field;

#define CORE_LOG_TEXT(name_, text_) ((core_log_field){.name = (name_), .text = (text_)})
#define CORE_LOG_NUMBER(name_, number_)                                                            \
    ((core_log_field){.name = (name_), .text = NULL, .number = (int64_t)(number_)})

/* NULL only when memory is out. `fd` is written to and not closed. */
CORE_MUST_CHECK core_log *core_log_new(int fd, core_log_level level, bool json,
                                       const core_clock *clock);
/* A log of one of the process's sources: as `log`, on the same descriptor, and each line says whose
 * it is. `name` must outlive it; it is freed with `log`. One thread at a time makes them. NULL when
 * memory is out. */
CORE_MUST_CHECK core_log *core_log_source(core_log *log, const char *name);
void core_log_free(core_log *log);
bool core_log_enabled(const core_log *log, core_log_level level);

/* `room` is "cdc", "fanout", ...; `message` a fixed sentence (what varies goes in fields). A NULL
 * log writes nothing, so a unit test needs none. */
void core_log_write(core_log *log, core_log_level level, const char *room, const char *message,
                    const core_log_field *fields, size_t count);

/* The common call: CORE_LOG(log, INFO, "cdc", "slot made", CORE_LOG_TEXT("slot", name)). */
#define CORE_LOG(log, level, room, message, ...)                                                   \
    core_log_write((log), CORE_LOG_##level, (room), (message),                                     \
                   (const core_log_field[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}},             \
                   sizeof((const core_log_field[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}}) /    \
                           sizeof(core_log_field) -                                                \
                       1)

#endif
