/* The values of --from and --table; see tail.h. */
#include "cli/tail.h"

#include <stdio.h>

bool tail_place_parse(const char *text, tail_place *place, core_error *error) {
    *place = (tail_place){.kind = TAIL_NOW};
    if (strcmp(text, "now") == 0)
        return true;
    place->kind = TAIL_FIRST;
    if (strcmp(text, "first") == 0)
        return true;
    place->kind = TAIL_SEQUENCE;
    if (strncmp(text, "seq:", 4) == 0 &&
        core_slice_to_u64(core_slice_text(text + 4), &place->sequence) && place->sequence > 0)
        return true;
    place->kind = TAIL_LSN;
    if (strncmp(text, "lsn:", 4) == 0 && core_lsn_parse(core_slice_text(text + 4), &place->lsn))
        return true;
    place->kind = TAIL_TIME;
    if (strncmp(text, "time:", 5) == 0 && core_clock_parse(text + 5, &place->time_us))
        return true;
    return core_error_set(error, CORE_ERROR_INPUT,
                          "--from %s: expected first, now, seq:N, lsn:X/Y or time:T, as in seq:42, "
                          "lsn:0/16B3748, time:2025-11-19T00:22:40Z",
                          text);
}

/* One name, quoted or up to a dot; `*text` moves behind it. */
static bool name_take(const char **text, char name[TAIL_NAME_MAX]) {
    const char *at = *text;
    bool quoted = *at == '"';
    size_t length = 0;
    at += quoted ? 1 : 0;
    for (; *at != '\0' && (quoted || *at != '.'); at++) {
        if (quoted && *at == '"' && *++at != '"') {
            quoted = false;
            break;
        }
        if (length == TAIL_NAME_MAX - 1)
            return false;
        name[length++] = *at;
    }
    name[length] = '\0';
    *text = at;
    return length > 0 && !quoted;
}

bool tail_table_parse(const char *text, const char *home_schema, tail_table *table,
                      core_error *error) {
    const char *at = text;
    bool valid = name_take(&at, table->table);
    if (valid && *at == '.') {
        at++;
        memcpy(table->schema, table->table, sizeof table->schema);
        valid = name_take(&at, table->table);
    } else {
        (void)snprintf(table->schema, sizeof table->schema, "%s", home_schema);
    }
    if (valid && *at == '\0')
        return true;
    return core_error_set(error, CORE_ERROR_INPUT,
                          "%s: expected SCHEMA.TABLE; a name that holds a dot in double quotes",
                          text);
}
