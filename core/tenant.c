/* See tenant.h. A pattern is the text before its mark and the text behind it. */
#include "core/tenant.h"

#include "core/subject.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    core_slice head, tail;
} tenant_pattern;

static tenant_pattern pattern_split(const char *pattern) {
    const char *mark = strstr(pattern, CORE_TENANT_MARK);
    if (mark == NULL)
        return (tenant_pattern){.head = core_slice_text(pattern)};
    return (tenant_pattern){
        .head = core_slice_make(pattern, (size_t)(mark - pattern)),
        .tail = core_slice_text(mark + strlen(CORE_TENANT_MARK)),
    };
}

static bool slice_ends(core_slice text, core_slice with) {
    return text.length >= with.length &&
           (with.length == 0 ||
            memcmp(text.data + text.length - with.length, with.data, with.length) == 0);
}

core_tenants core_tenants_of(const core_config *source) {
    core_tenants tenants = {
        .project = core_config_text(source, "project"),
        .environment = core_config_text(source, "environment"),
        .count = core_config_list_count(source, "postgres.tenant_schemas"),
    };
    if (tenants.count > 0)
        tenants.patterns = core_config_list_items(source, "postgres.tenant_schemas");
    return tenants;
}

/* An id whose token in a subject can be read back, and is not the source's own project's. */
static bool tenant_id_valid(const core_tenants *tenants, core_slice id) {
    char text[CORE_TENANT_SCHEMA_SIZE];
    if (id.length > CORE_SUBJECT_TOKEN_MAX / 3) /* a byte may take three */
        return false;
    return core_slice_to_text(id, text, sizeof text) && core_subject_id_valid(text, NULL) &&
           strcmp(text, tenants->project) != 0;
}

core_slice core_tenants_project(const core_tenants *tenants, core_slice schema) {
    const core_slice none = core_slice_make(NULL, 0);
    for (size_t i = 0; i < tenants->count; i++) {
        tenant_pattern pattern = pattern_split(tenants->patterns[i]);
        size_t fixed = pattern.head.length + pattern.tail.length;
        if (schema.length <= fixed || !core_slice_begins(schema, pattern.head) ||
            !slice_ends(schema, pattern.tail))
            continue;
        core_slice id = core_slice_make(schema.data + pattern.head.length, schema.length - fixed);
        return tenant_id_valid(tenants, id) ? id : none;
    }
    return none;
}

bool core_tenants_owns(const core_tenants *tenants, core_slice project, core_slice schema) {
    core_slice tenant = core_tenants_project(tenants, schema);
    return tenant.length > 0 ? core_slice_equal(tenant, project)
                             : core_slice_is(project, tenants->project);
}

bool core_tenants_home(const core_tenants *tenants, core_slice project,
                       char schema[CORE_TENANT_SCHEMA_SIZE]) {
    if (tenants->count == 0 || !tenant_id_valid(tenants, project))
        return false;
    tenant_pattern pattern = pattern_split(tenants->patterns[0]);
    int length =
        snprintf(schema, CORE_TENANT_SCHEMA_SIZE, "%.*s%.*s%.*s", CORE_SLICE_ARGS(pattern.head),
                 CORE_SLICE_ARGS(project), CORE_SLICE_ARGS(pattern.tail));
    return length < CORE_TENANT_SCHEMA_SIZE;
}

core_slice core_tenants_shown(const core_tenants *tenants, core_slice schema) {
    char home[CORE_TENANT_SCHEMA_SIZE];
    core_slice tenant = core_tenants_project(tenants, schema);
    bool is_home = tenant.length > 0 && core_tenants_home(tenants, tenant, home) &&
                   core_slice_is(schema, home);
    return core_slice_text(is_home ? CORE_TENANT_HOME : "");
}

bool core_tenants_hosts(const core_tenants *tenants, const char *project, const char *environment) {
    char home[CORE_TENANT_SCHEMA_SIZE];
    if (environment != NULL && strcmp(environment, tenants->environment) != 0)
        return false;
    return strcmp(project, tenants->project) == 0 ||
           core_tenants_home(tenants, core_slice_text(project), home);
}

const core_config *core_tenants_source(const core_config *config, const char *project,
                                       const char *environment) {
    size_t count = core_config_source_count(config);
    for (size_t i = 0; i < count; i++) {
        const core_config *source = core_config_source(config, i);
        core_tenants tenants = core_tenants_of(source);
        if (core_tenants_hosts(&tenants, project, environment))
            return source;
    }
    return NULL;
}

/* ---- Patterns ---- */

bool core_tenant_pattern_valid(const char *pattern) {
    const char *mark = strstr(pattern, CORE_TENANT_MARK);
    size_t length = strlen(pattern), mark_length = strlen(CORE_TENANT_MARK);
    return mark != NULL && strstr(mark + 1, CORE_TENANT_MARK) == NULL && length > mark_length &&
           length - mark_length < CORE_TENANT_SCHEMA_SIZE - 1;
}

/* The one's text before the mark begins with the other's, and so behind it: then some name has
 * both. */
bool core_tenant_patterns_overlap(const char *a, const char *b) {
    tenant_pattern one = pattern_split(a), other = pattern_split(b);
    return (core_slice_begins(one.head, other.head) || core_slice_begins(other.head, one.head)) &&
           (slice_ends(one.tail, other.tail) || slice_ends(other.tail, one.tail));
}

static void like_append(core_buffer *out, core_slice text) {
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '_' || text.data[i] == '%' || text.data[i] == '\\')
            core_buffer_u8(out, '\\');
        core_buffer_u8(out, text.data[i]);
    }
}

void core_tenant_pattern_like(const char *pattern, core_buffer *out) {
    tenant_pattern parts = pattern_split(pattern);
    like_append(out, parts.head);
    core_buffer_text(out, "_%");
    like_append(out, parts.tail);
}
