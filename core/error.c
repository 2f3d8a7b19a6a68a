/* Filling and wrapping errors; see error.h. Cannot fail itself: over-long text is cut. */
#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool core_error_set(core_error *error, core_error_code code, const char *format, ...) {
    if (error == NULL)
        return false;
    error->code = code;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}

bool core_error_wrap(core_error *error, const char *format, ...) {
    if (error == NULL)
        return false;
    char inner[CORE_ERROR_TEXT_MAX];
    memcpy(inner, error->text, sizeof inner);
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (used < 0 || (size_t)used >= sizeof error->text)
        return false;
    (void)snprintf(error->text + used, sizeof error->text - (size_t)used, ": %s", inner);
    return false;
}

const char *core_error_code_name(core_error_code code) {
    static const char *const names[] = {
        [CORE_ERROR_NONE] = "none",         [CORE_ERROR_CONFIG] = "config",
        [CORE_ERROR_INPUT] = "input",       [CORE_ERROR_TRANSIENT] = "transient",
        [CORE_ERROR_CONFLICT] = "conflict", [CORE_ERROR_DENIED] = "denied",
        [CORE_ERROR_LIMIT] = "limit",       [CORE_ERROR_GAP] = "gap",
        [CORE_ERROR_INTERNAL] = "internal", [CORE_ERROR_FULL] = "full",
    };
    return (size_t)code < CORE_COUNT_OF(names) && names[code] ? names[code] : "unknown";
}
