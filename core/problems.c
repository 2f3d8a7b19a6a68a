/* See problems.h. */
#include "core/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void core_problems_init(core_problems *problems) {
    *problems = (core_problems){.count = 0};
}

void core_problems_fini(core_problems *problems) {
    free(problems->items);
    core_problems_init(problems);
}

/* The item to fill; NULL: it has no room. */
static core_problem *problem_add(core_problems *problems) {
    if (problems->items == NULL)
        problems->items = calloc(CORE_PROBLEMS_MAX, sizeof *problems->items);
    if (problems->items == NULL || problems->count == CORE_PROBLEMS_MAX) {
        problems->left_out++;
        return NULL;
    }
    return &problems->items[problems->count++];
}

static void problem_fill(core_problems *problems, core_place place, bool is_warning,
                         const char *format, va_list arguments) {
    if (problems == NULL)
        return;
    problems->errors += !is_warning;
    core_problem *item = problem_add(problems);
    if (item == NULL)
        return;
    item->place = place;
    item->is_warning = is_warning;
    (void)vsnprintf(item->text, sizeof item->text, format, arguments);
    for (char *at = item->text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7F)
            *at = '?';
}

bool core_problem_tell(core_problems *problems, core_place place, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    problem_fill(problems, place, false, format, arguments);
    va_end(arguments);
    return false;
}

void core_problem_warn(core_problems *problems, core_place place, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    problem_fill(problems, place, true, format, arguments);
    va_end(arguments);
}

void core_problems_print(const core_problems *problems, const char *name, core_buffer *out) {
    for (size_t i = 0; i < problems->count; i++) {
        const core_problem *item = &problems->items[i];
        core_buffer_text(out, name);
        if (item->place.line > 0)
            core_buffer_format(out, ":%zu:%zu", item->place.line, item->place.column);
        core_buffer_format(out, ": %s%s\n", item->is_warning ? "warning: " : "", item->text);
    }
    if (problems->left_out > 0)
        core_buffer_format(out, "%s: %zu more problems\n", name, problems->left_out);
}

void core_problems_write(const core_problems *problems, core_json_writer *json) {
    core_json_array_open(json);
    for (size_t i = 0; i < problems->count; i++) {
        const core_problem *item = &problems->items[i];
        core_json_object_open(json);
        core_json_key_text(json, "line");
        core_json_unsigned(json, item->place.line);
        core_json_key_text(json, "column");
        core_json_unsigned(json, item->place.column);
        core_json_key_text(json, "message");
        core_json_text(json, item->text);
        if (item->is_warning) {
            core_json_key_text(json, "warning");
            core_json_bool(json, true);
        }
        core_json_object_close(json);
    }
    core_json_array_close(json);
}
