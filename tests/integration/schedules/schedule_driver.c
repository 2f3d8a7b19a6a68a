/* Says on standard output which moments schedules name: for each line of standard input,
 * "EXPRESSION|ZONE|AFTER_S|COUNT", a line of seconds since 1970 with blanks between, or the reason
 * why it is none behind an exclamation mark. */
#include "triggers/timetable.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 1024

static void answer(const char *expression, const char *zone, int64_t after_s, long count) {
    core_error error = {.text = ""};
    triggers_timetable *schedule = triggers_timetable_new(
        core_slice_text(expression), core_slice_text(zone), TRIGGERS_ZONE_DIRECTORY, &error);
    if (schedule == NULL) {
        (void)printf("!%s\n", error.text);
        return;
    }
    int64_t at_us = after_s * CORE_US_PER_S;
    for (long i = 0; i < count; i++) {
        at_us = triggers_timetable_next(schedule, at_us);
        (void)printf("%" PRId64 " ", at_us / CORE_US_PER_S);
    }
    (void)printf("\n");
    triggers_timetable_free(schedule);
}

int main(void) {
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *parts[4], *rest = line;
        for (size_t i = 0; i < CORE_COUNT_OF(parts); i++)
            if ((parts[i] = strsep(&rest, "|")) == NULL)
                return 2;
        answer(parts[0], parts[1], strtoll(parts[2], NULL, 10), strtol(parts[3], NULL, 10));
    }
    return 0;
}
