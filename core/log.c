/* Lines and the limit on repeats; see log.h.
 *
 * One lock covers the repeat table, the line buffer and the write, so lines are whole and in order.
 * A line is at most LOG_LINE_MAX bytes, which a pipe takes in one piece: values past LOG_VALUE_MAX
 * are cut, fields that do not fit are left out and `cut=true` says so. A kind of line is (room,
 * message); each may come LOG_BURST times in LOG_WINDOW_MS, what is above is counted and told when
 * the window is over: at the next line of any kind, or when the log closes. When the descriptor
 * does not take a line it is lost: there is nowhere to say so. */
#include "core/log.h"

#include "core/json.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define LOG_LINE_MAX    4096 /* PIPE_BUF on Linux */
#define LOG_LINE_SPARE  32   /* for `cut=true`, the closing bracket and the newline */
#define LOG_VALUE_MAX   1200 /* holds the longest core_error text */
#define LOG_BURST       20
#define LOG_WINDOW_MS   1000
#define LOG_KINDS       64
#define LOG_ROOM_MAX    24
#define LOG_MESSAGE_MAX 120

typedef struct {
    char room[LOG_ROOM_MAX];
    char message[LOG_MESSAGE_MAX]; /* empty: the place is free */
    core_log_level level;
    int64_t since_ms;
    unsigned count; /* in the window */
} log_kind;

struct core_log {
    int fd;
    core_log_level level;
    bool json;
    const core_clock *clock;
    pthread_mutex_t lock;
    core_buffer line;
    const char *source; /* NULL: the process's own */
    core_log *next;     /* of a further source, owned */
    log_kind kinds[LOG_KINDS];
};

core_log *core_log_new(int fd, core_log_level level, bool json, const core_clock *clock) {
    core_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return NULL;
    log->fd = fd;
    log->level = level;
    log->json = json;
    log->clock = clock;
    core_buffer_init(&log->line, LOG_LINE_MAX);
    if (core_buffer_reserve(&log->line, LOG_LINE_MAX) == NULL ||
        pthread_mutex_init(&log->lock, NULL) != 0) {
        core_buffer_fini(&log->line);
        free(log);
        return NULL;
    }
    return log;
}

core_log *core_log_source(core_log *log, const char *name) {
    core_log *source = core_log_new(log->fd, log->level, log->json, log->clock);
    if (source == NULL)
        return NULL;
    source->source = name;
    source->next = log->next;
    log->next = source;
    return source;
}

bool core_log_enabled(const core_log *log, core_log_level level) {
    return log != NULL && level >= log->level;
}

static const char *log_level_name(core_log_level level) {
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return names[level];
}

/* ---- One line ---- */

static core_slice log_value_cut(const char *text, const char **tail) {
    core_slice value = core_slice_make(text, strnlen(text, LOG_VALUE_MAX + 1));
    *tail = value.length > LOG_VALUE_MAX ? "..." : "";
    if (value.length > LOG_VALUE_MAX)
        value.length = LOG_VALUE_MAX;
    return value;
}

static void log_json_field(core_log *log, const core_log_field *field) {
    core_json_writer writer = {.out = &log->line, .needs_comma = true};
    core_json_key_text(&writer, field->name);
    if (field->text == NULL) {
        core_json_signed(&writer, field->number);
        return;
    }
    const char *tail;
    core_json_string(&writer, log_value_cut(field->text, &tail));
    if (*tail != '\0' && core_buffer_ok(&log->line)) {
        log->line.length--; /* the closing quote */
        core_buffer_text(&log->line, tail);
        core_buffer_u8(&log->line, '"');
    }
}

static bool log_text_is_bare(core_slice value) {
    for (size_t i = 0; i < value.length; i++)
        if (value.data[i] <= ' ' || value.data[i] >= 0x7F || strchr("\"\\=", value.data[i]) != NULL)
            return false;
    return value.length > 0;
}

static void log_text_field(core_log *log, const core_log_field *field) {
    core_buffer_u8(&log->line, ' ');
    core_buffer_text(&log->line, field->name);
    core_buffer_u8(&log->line, '=');
    if (field->text == NULL) {
        core_buffer_format(&log->line, "%lld", (long long)field->number);
        return;
    }
    const char *tail;
    core_slice value = log_value_cut(field->text, &tail);
    if (log_text_is_bare(value)) {
        core_buffer_slice_append(&log->line, value);
    } else {
        /* Quoted as JSON does it: no control character reaches a terminal. */
        core_json_writer writer = core_json_writer_make(&log->line);
        core_json_string(&writer, value);
    }
    core_buffer_text(&log->line, tail);
}

/* All of the fields that fit; false when one had to be left out. */
static bool log_fields(core_log *log, const core_log_field *fields, size_t count) {
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        size_t before = log->line.length;
        if (log->json)
            log_json_field(log, &fields[i]);
        else
            log_text_field(log, &fields[i]);
        if (core_buffer_ok(&log->line) && log->line.length <= LOG_LINE_MAX - LOG_LINE_SPARE)
            continue;
        log->line.length = before;
        log->line.failed = false;
        whole = false;
    }
    return whole;
}

static void log_head(core_log *log, core_log_level level, const char *room, const char *message) {
    char time_text[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(core_clock_wall_us(log->clock), time_text);
    core_buffer_reset(&log->line);
    if (!log->json) {
        core_buffer_format(&log->line, "%s %-5s %s: %s", time_text, log_level_name(level), room,
                           message);
        return;
    }
    core_json_writer writer = core_json_writer_make(&log->line);
    core_json_object_open(&writer);
    core_json_key_text(&writer, "time");
    core_json_text(&writer, time_text);
    core_json_key_text(&writer, "level");
    core_json_text(&writer, log_level_name(level));
    core_json_key_text(&writer, "room");
    core_json_text(&writer, room);
    core_json_key_text(&writer, "message");
    core_json_text(&writer, message);
}

static void log_line(core_log *log, core_log_level level, const char *room, const char *message,
                     const core_log_field *fields, size_t count) {
    const core_log_field source = CORE_LOG_TEXT("source", log->source);
    log_head(log, level, room, message);
    if (log->source != NULL)
        (void)log_fields(log, &source, 1); /* short: there is room */
    if (!log_fields(log, fields, count))
        core_buffer_text(&log->line, log->json ? ",\"cut\":true" : " cut=true");
    core_buffer_text(&log->line, log->json ? "}\n" : "\n");
    if (!core_buffer_ok(&log->line))
        return;
    ssize_t put = write(log->fd, log->line.data, log->line.length);
    (void)put;
}

/* ---- Repeats ---- */

/* Tells what a kind's window held back, and frees its place. */
static void log_kind_close(core_log *log, log_kind *kind) {
    if (kind->count > LOG_BURST) {
        core_log_field repeated = CORE_LOG_NUMBER("repeated", kind->count - LOG_BURST);
        log_line(log, kind->level, kind->room, kind->message, &repeated, 1);
    }
    kind->message[0] = '\0';
    kind->count = 0;
}

static void log_kinds_expire(core_log *log, int64_t now_ms) {
    for (size_t i = 0; i < LOG_KINDS; i++)
        if (log->kinds[i].message[0] != '\0' && now_ms - log->kinds[i].since_ms >= LOG_WINDOW_MS)
            log_kind_close(log, &log->kinds[i]);
}

static void log_text_copy(char *target, size_t size, const char *text) {
    size_t length = strnlen(text, size - 1);
    memcpy(target, text, length);
    target[length] = '\0';
}

/* The kind's place, made when it has none; NULL when all places hold other kinds. */
static log_kind *log_kind_find(core_log *log, core_log_level level, const char *room,
                               const char *message, int64_t now_ms) {
    log_kind *empty = NULL;
    for (size_t i = 0; i < LOG_KINDS; i++) {
        log_kind *kind = &log->kinds[i];
        if (kind->message[0] == '\0')
            empty = empty != NULL ? empty : kind;
        else if (strncmp(kind->message, message, LOG_MESSAGE_MAX - 1) == 0 &&
                 strncmp(kind->room, room, LOG_ROOM_MAX - 1) == 0)
            return kind;
    }
    if (empty == NULL)
        return NULL;
    log_text_copy(empty->room, sizeof empty->room, room);
    log_text_copy(empty->message, sizeof empty->message, message);
    empty->level = level;
    empty->since_ms = now_ms;
    empty->count = 0;
    return empty;
}

static bool log_may_write(core_log *log, core_log_level level, const char *room,
                          const char *message) {
    int64_t now_ms = core_clock_ms(log->clock);
    log_kinds_expire(log, now_ms);
    log_kind *kind = log_kind_find(log, level, room, message, now_ms);
    if (kind == NULL)
        return true;
    kind->level = level > kind->level ? level : kind->level;
    return ++kind->count <= LOG_BURST;
}

void core_log_write(core_log *log, core_log_level level, const char *room, const char *message,
                    const core_log_field *fields, size_t count) {
    if (!core_log_enabled(log, level))
        return;
    (void)pthread_mutex_lock(&log->lock);
    if (log_may_write(log, level, room, message))
        log_line(log, level, room, message, fields, count);
    (void)pthread_mutex_unlock(&log->lock);
}

void core_log_free(core_log *log) {
    while (log != NULL) {
        core_log *next = log->next;
        for (size_t i = 0; i < LOG_KINDS; i++)
            log_kind_close(log, &log->kinds[i]);
        (void)pthread_mutex_destroy(&log->lock);
        core_buffer_fini(&log->line);
        free(log);
        log = next;
    }
}
