/* What is wrong with a text that somebody wrote, with the places: all of it at once, up to a
 * maximum.
 *
 * Texts are one line each without control bytes, cut at their maximum, ready for a terminal. An
 * error refuses the text; a warning does not. Owned by one thread. */
#ifndef WALCAST_CORE_PROBLEMS_H
#define WALCAST_CORE_PROBLEMS_H

#include "core/json.h"

#define CORE_PROBLEMS_MAX     50
#define CORE_PROBLEM_TEXT_MAX 512

/* From 1, in characters; 0: none is known. */
typedef struct {
    size_t line, column;
} core_place;

typedef struct {
    core_place place;
    bool is_warning;
    char text[CORE_PROBLEM_TEXT_MAX];
} core_problem;

typedef struct {
    core_problem *items;
    size_t count;    /* of items */
    size_t errors;   /* all that were told, those left out too */
    size_t left_out; /* had no room */
} core_problems;

/* Allocates nothing yet. */
void core_problems_init(core_problems *problems);
void core_problems_fini(core_problems *problems);
/* Returns false, so that `return core_problem_tell(...)` reads well. Where no memory is, it is
 * counted. NULL `problems` are nobody's to read. */
bool core_problem_tell(core_problems *problems, core_place place, const char *format, ...)
    CORE_PRINTF(3, 4);
void core_problem_warn(core_problems *problems, core_place place, const char *format, ...)
    CORE_PRINTF(3, 4);
/* Whether nothing refuses the text. */
static inline bool core_problems_ok(const core_problems *problems) {
    return problems->errors == 0;
}

/* One line each, "NAME:LINE:COLUMN: TEXT", warnings marked as such, appended. */
void core_problems_print(const core_problems *problems, const char *name, core_buffer *out);
/* An array of {"line","column","message"}, of warnings with "warning": true. */
void core_problems_write(const core_problems *problems, core_json_writer *json);

#endif
