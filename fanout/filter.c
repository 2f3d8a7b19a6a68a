/* See filter.h. */
#include "fanout/filter.h"

bool fanout_filter_escape(const char *subject, char escaped[FANOUT_FILTER_MAX], core_error *error) {
    size_t length = 0;
    if (strlen(subject) >= CORE_SUBJECT_MAX)
        return core_error_set(error, CORE_ERROR_INPUT, "subject '%.64s...' is too long", subject);
    for (; *subject != '\0'; subject++) {
        if (*subject == '"' || *subject == '\\')
            escaped[length++] = '\\';
        escaped[length++] = *subject;
    }
    escaped[length] = '\0';
    return true;
}
