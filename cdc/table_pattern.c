/* See table_pattern.h. */
#include "cdc/table_pattern.h"

/* One name into `name`, `*at` behind it; `*any` for a bare star. False when malformed. */
static bool name_parse(const char **at, bool *any, char name[CDC_NAME_MAX]) {
    const char *from = *at;
    size_t length = 0;
    bool quoted = *from == '"';
    from += quoted;
    while (*from != '\0' && (quoted || *from != '.')) {
        if (quoted && *from == '"') {
            if (from[1] != '"')
                break;
            from++;
        }
        if (length + 1 == CDC_NAME_MAX || (!quoted && *from == '"'))
            return false;
        name[length++] = *from++;
    }
    name[length] = '\0';
    *any = !quoted && length == 1 && name[0] == '*';
    bool closed = !quoted || *from == '"';
    *at = from + (quoted && closed);
    return closed && length > 0;
}

bool cdc_table_pattern_parse(const char *text, cdc_table_pattern *pattern, core_error *error) {
    const char *at = text;
    *pattern = (cdc_table_pattern){0};
    bool ok = name_parse(&at, &pattern->any_schema, pattern->schema) && *at == '.';
    at += ok;
    ok = ok && name_parse(&at, &pattern->any_table, pattern->table) && *at == '\0';
    if (ok && (!pattern->any_schema || pattern->any_table))
        return true;
    return core_error_set(
        error, CORE_ERROR_INPUT,
        "\"%s\" is no table pattern; expected SCHEMA.TABLE, SCHEMA.* or *.*, with "
        "names of at most %d bytes, in double quotes where they hold dots",
        text, CDC_NAME_MAX - 1);
}

/* One element of an array literal (PostgreSQL's documentation, "Array Input Syntax"). */
static void element_append(core_buffer *out, bool any, const char *name) {
    if (out->length > 1)
        core_buffer_u8(out, ',');
    if (any) {
        core_buffer_text(out, "NULL");
        return;
    }
    core_buffer_u8(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\')
            core_buffer_u8(out, '\\');
        core_buffer_u8(out, (uint8_t)*name);
    }
    core_buffer_u8(out, '"');
}

static void array_close(core_buffer *out) {
    core_buffer_u8(out, '}');
    core_buffer_u8(out, '\0'); /* libpq takes text parameters as C strings */
}

bool cdc_table_patterns_write(const core_config *config, const char *key, core_buffer *schemas,
                              core_buffer *tables, core_error *error) {
    core_buffer_u8(schemas, '{');
    core_buffer_u8(tables, '{');
    size_t count = core_config_list_count(config, key);
    for (size_t i = 0; i < count; i++) {
        cdc_table_pattern pattern;
        if (!cdc_table_pattern_parse(core_config_list_item(config, key, i), &pattern, error)) {
            if (error != NULL)
                error->code = CORE_ERROR_CONFIG;
            return core_error_wrap(error, "%s (%s)", key, core_config_origin(config, key));
        }
        element_append(schemas, pattern.any_schema, pattern.schema);
        element_append(tables, pattern.any_table, pattern.table);
    }
    array_close(schemas);
    array_close(tables);
    return (core_buffer_ok(schemas) && core_buffer_ok(tables)) ||
           core_error_set(error, CORE_ERROR_CONFIG, "%s has too many patterns", key);
}

bool cdc_tenant_patterns_write(const core_config *config, core_buffer *patterns,
                               core_error *error) {
    static const char key[] = "postgres.tenant_schemas";
    core_buffer like;
    core_buffer_init(&like, 4 * (size_t)CDC_NAME_MAX);
    core_buffer_u8(patterns, '{');
    for (size_t i = 0; i < core_config_list_count(config, key); i++) {
        core_buffer_reset(&like);
        core_tenant_pattern_like(core_config_list_item(config, key, i), &like);
        core_buffer_u8(&like, '\0');
        if (core_buffer_ok(&like))
            element_append(patterns, false, (const char *)like.data);
    }
    bool ok = core_buffer_ok(&like);
    core_buffer_fini(&like);
    array_close(patterns);
    return (ok && core_buffer_ok(patterns)) ||
           core_error_set(error, CORE_ERROR_CONFIG, "%s has too many patterns", key);
}
