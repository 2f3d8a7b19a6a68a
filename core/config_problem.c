/* What is wrong with a configuration, one line each; see config_private.h.
 *
 * Lines past PROBLEMS_SHOWN are counted only. A value is shown quoted and cut, without controls (it
 * may go to a terminal) and without secrets. */
#include "core/config_private.h"
#include "core/distance.h"

#include <stdarg.h>

#define PROBLEMS_SHOWN 50

/* Keys and values come from outside and go to a terminal. */
static char problem_byte(char byte) {
    if ((unsigned char)byte < ' ' || byte == 0x7F)
        return '?';
    return byte;
}

void core_config_problem(core_config_loader *loader, const char *origin, const char *format, ...) {
    if (++loader->problems > PROBLEMS_SHOWN)
        return;
    char text[CORE_ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *at = text; *at != '\0'; at++)
        *at = problem_byte(*at);
    (void)fprintf(loader->report, "%s: %s\n", origin, text);
}

void core_config_problems_end(const core_config_loader *loader) {
    if (loader->problems > PROBLEMS_SHOWN)
        (void)fprintf(loader->report, "configuration: %zu more problems\n",
                      loader->problems - PROBLEMS_SHOWN);
}

static void shown_append(char text[CORE_CONFIG_SHOWN_MAX], size_t *used, const char *part) {
    for (const char *at = part; *at != '\0' && *used < CORE_CONFIG_SHOWN_MAX - 5; at++)
        text[(*used)++] = problem_byte(*at);
    text[*used] = '\0';
}

void core_config_shown(const core_config_row *row, const core_config_entry *entry,
                       char text[CORE_CONFIG_SHOWN_MAX]) {
    size_t used = 0;
    if (row != NULL && row->secret) {
        shown_append(text, &used, "***");
        return;
    }
    shown_append(text, &used, "\"");
    for (size_t i = 0; i < entry->count; i++) {
        char redacted[CORE_CONFIG_SHOWN_MAX];
        core_config_redact_url(entry->items[i], redacted, sizeof redacted);
        shown_append(text, &used, i > 0 ? ", " : "");
        shown_append(text, &used, redacted);
    }
    bool cut = used == CORE_CONFIG_SHOWN_MAX - 5;
    (void)snprintf(text + used, CORE_CONFIG_SHOWN_MAX - used, cut ? "...\"" : "\"");
}

const char *core_config_nearest(const char *name, bool variable) {
    size_t length = strlen(name), count;
    if (length >= CORE_CONFIG_KEY_MAX)
        return NULL;
    const core_config_row *rows = core_config_rows(&count);
    const char *nearest = NULL;
    size_t best = (length - (variable ? strlen(CORE_CONFIG_ENV_PREFIX) : 0)) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        char text[CORE_CONFIG_KEY_MAX];
        if (variable)
            core_config_env_name(rows[i].key, text);
        else
            (void)snprintf(text, sizeof text, "%s", rows[i].key);
        size_t distance = core_text_distance(name, text);
        if (distance >= best)
            continue;
        best = distance;
        nearest = rows[i].key;
    }
    return nearest;
}

void core_config_unknown(core_config_loader *loader, const char *origin, const char *key) {
    char shown[CORE_CONFIG_SHOWN_MAX];
    size_t used = 0;
    shown_append(shown, &used, key);
    const char *nearest = core_config_nearest(key, false);
    if (nearest != NULL)
        core_config_problem(loader, origin, "%s: unknown key; did you mean %s?", shown, nearest);
    else
        core_config_problem(loader, origin, "%s: unknown key; docs/CONFIG.md lists all keys",
                            shown);
}
