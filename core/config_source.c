/* Several sources in one process: `sources.NAME.KEY` in the file; see config.h.
 *
 * While the file is read each source gathers its own settings, an overlay of the table. When all is
 * known, each becomes a whole configuration: its own settings over the process's, and names of its
 * own where two sources would meet: the stream `{nats.stream}_{name}`, and unless it says otherwise
 * the slot `{postgres.slot}_{name}` and the project `{name}`. */
#include "core/config_private.h"
#include "core/tenant.h"

#include <ctype.h>
#include <stdlib.h>

#define SOURCES_PREFIX  "sources."
#define SOURCE_NAME_MAX 16

/* Keys that a source may set; where one ends in a dot, all below it. */
static const char *const source_keys[] = {
    "project",       "environment",   "postgres.",        "cdc.",
    "snapshot.",     "nats.max_age",  "nats.max_bytes",   "nats.confirm_lag",
    "nats.encoding", "nats.replicas", "triggers.sql_url", "triggers.sql_databases",
};

static bool source_key_allowed(const char *key) {
    for (size_t i = 0; i < CORE_COUNT_OF(source_keys); i++) {
        size_t length = strlen(source_keys[i]);
        bool section = source_keys[i][length - 1] == '.';
        if (section ? strncmp(key, source_keys[i], length) == 0 : strcmp(key, source_keys[i]) == 0)
            return true;
    }
    return false;
}

static bool source_name_valid(const char *name, size_t length) {
    if (length == 0 || length > SOURCE_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) && name[i] != '_')
            return false;
    return true;
}

const char *core_config_key_bare(const char *key) {
    size_t prefix = strlen(SOURCES_PREFIX);
    if (strncmp(key, SOURCES_PREFIX, prefix) != 0)
        return strcmp(key, "sources") == 0 ? "" : key;
    const char *dot = strchr(key + prefix, '.');
    return dot != NULL ? dot + 1 : "";
}

/* ---- Overlays ---- */

static core_config *source_find(const core_config *config, const char *name, size_t length) {
    for (size_t i = 0; i < config->source_count; i++)
        if (strlen(config->sources[i]->source) == length &&
            memcmp(config->sources[i]->source, name, length) == 0)
            return config->sources[i];
    return NULL;
}

static core_config *source_add(core_config_loader *loader, const core_config_entry *entry,
                               const char *name, size_t length) {
    core_config *config = loader->config;
    if (!source_name_valid(name, length)) {
        core_config_problem(loader, entry->origin,
                            "%s: expected a source's name of at most %d of a-z, 0-9 and _",
                            entry->key, SOURCE_NAME_MAX);
        return NULL;
    }
    if (config->source_count == CORE_CONFIG_SOURCES_MAX) {
        core_config_problem(loader, entry->origin, "%s: expected at most %d sources", entry->key,
                            CORE_CONFIG_SOURCES_MAX);
        return NULL;
    }
    core_config *source = core_config_new();
    char *copy = source != NULL ? strndup(name, length) : NULL;
    if (copy == NULL) {
        core_config_free(source);
        core_config_problem(loader, entry->origin, "out of memory");
        return NULL;
    }
    source->source = copy;
    config->sources[config->source_count++] = source;
    return source;
}

core_config *core_config_overlay(core_config_loader *loader, const core_config_entry *entry) {
    const char *name = entry->key + strlen(SOURCES_PREFIX);
    size_t length = strcspn(name, ".");
    const char *key = core_config_key_bare(entry->key);
    if (core_config_row_find(key) != NULL && !source_key_allowed(key)) {
        core_config_problem(loader, entry->origin,
                            "%s: %s is the process's, not a source's; set it without sources.",
                            entry->key, key);
        return NULL;
    }
    core_config *source = source_find(loader->config, name, length);
    return source != NULL ? source : source_add(loader, entry, name, length);
}

/* ---- Whole configurations ---- */

static void source_set(core_config_loader *loader, core_config *source, const char *key,
                       const char *value) {
    core_error error;
    if (!core_config_set(source, key, value, "default", &error))
        core_config_problem(loader, source->source, "sources.%s: %s", source->source, error.text);
}

/* Of one database alone: what the process says of its own is no other's. */
static bool is_own_only(const char *key) {
    return strcmp(key, "postgres.tenant_schemas") == 0 || strcmp(key, "triggers.sql_url") == 0 ||
           strcmp(key, "triggers.sql_databases") == 0;
}

/* What the source does not say is the process's. */
static bool source_inherit(const core_config *config, core_config *source) {
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    for (size_t i = 0; i < count; i++) {
        bool own = is_own_only(rows[i].key);
        if (!source->values[i].set && !own &&
            !core_config_value_copy(&source->values[i], &config->values[i]))
            return false;
    }
    return true;
}

static bool source_says(const core_config *source, const char *key) {
    return core_config_value_at(source, core_config_row_find(key))->set;
}

static void source_complete(core_config_loader *loader, core_config *source) {
    const core_config *config = loader->config;
    char name[2 * CORE_CONFIG_KEY_MAX];
    bool project = source_says(source, "project"), slot = source_says(source, "postgres.slot");
    if (!source_says(source, "postgres.url")) {
        core_config_problem(loader, "sources",
                            "sources.%s.postgres.url: is not set: every source "
                            "names its database",
                            source->source);
        return;
    }
    source->stream_base = strdup(core_config_text(config, "nats.stream"));
    if (source->stream_base == NULL || !source_inherit(config, source)) {
        core_config_problem(loader, "sources", "out of memory");
        return;
    }
    (void)snprintf(name, sizeof name, "%s_%s", source->stream_base, source->source);
    source_set(loader, source, "nats.stream", name);
    if (!project)
        source_set(loader, source, "project", source->source);
    (void)snprintf(name, sizeof name, "%s_%s", core_config_text(config, "postgres.slot"),
                   source->source);
    if (!slot)
        source_set(loader, source, "postgres.slot", name);
    source->one_of_many = true;
    source->process = config;
    core_config_loader own = *loader;
    own.config = source;
    core_config_check_together(&own);
    loader->problems = own.problems;
}

/* ---- Whether they get along ---- */

static const char *source_name(const core_config *source) {
    return source->source != NULL ? source->source : "(the process's own)";
}

static void sources_differ(core_config_loader *loader, const core_config *a, const core_config *b) {
    core_tenants one = core_tenants_of(a), other = core_tenants_of(b);
    if (strcmp(one.environment, other.environment) == 0 && (one.count > 0 || other.count > 0))
        core_config_problem(loader, "sources",
                            "sources %s and %s: one has tenants in schemas, whose subjects would "
                            "be the other's too; give one another environment",
                            source_name(a), source_name(b));
    else if (core_tenants_hosts(&one, other.project, other.environment) ||
             core_tenants_hosts(&other, one.project, one.environment))
        core_config_problem(loader, "sources",
                            "sources %s and %s: both hold project %s of environment %s; give one "
                            "another project or environment",
                            source_name(a), source_name(b), other.project, other.environment);
    if (strcmp(core_config_text(a, "postgres.url"), core_config_text(b, "postgres.url")) == 0 &&
        strcmp(core_config_text(a, "postgres.slot"), core_config_text(b, "postgres.slot")) == 0)
        core_config_problem(loader, "sources",
                            "sources %s and %s: read the same slot %s of the same database",
                            source_name(a), source_name(b), core_config_text(a, "postgres.slot"));
}

void core_config_sources_finish(core_config_loader *loader) {
    core_config *config = loader->config;
    for (size_t i = 0; i < config->source_count; i++)
        source_complete(loader, config->sources[i]);
    config->one_of_many = config->source_count > 0;
    for (size_t i = 0; loader->problems == 0 && i < core_config_source_count(config); i++)
        for (size_t j = 0; j < i; j++)
            sources_differ(loader, core_config_source(config, j), core_config_source(config, i));
}

/* ---- Reading ---- */

size_t core_config_source_count(const core_config *config) {
    return config->source_count + 1;
}

const core_config *core_config_source(const core_config *config, size_t index) {
    return index == 0 ? config : config->sources[index - 1];
}

const char *core_config_source_name(const core_config *config) {
    return config->source;
}

bool core_config_one_of_many(const core_config *config) {
    return config->one_of_many;
}

const char *core_config_stream_base(const core_config *config) {
    return config->stream_base != NULL ? config->stream_base
                                       : core_config_text(config, "nats.stream");
}

const core_config *core_config_named(const core_config *config, const char *name) {
    const core_config *process = config->process != NULL ? config->process : config;
    for (size_t i = 0; i < process->source_count; i++)
        if (strcmp(process->sources[i]->source, name) == 0)
            return process->sources[i];
    return NULL;
}

core_config *core_config_source_detach(core_config *config, const char *name, core_error *error) {
    for (size_t i = 0; i < config->source_count; i++) {
        core_config *source = config->sources[i];
        if (strcmp(source->source, name) != 0)
            continue;
        config->sources[i] = config->sources[--config->source_count];
        source->process = NULL;
        core_config_free(config);
        return source;
    }
    (void)core_error_set(error, CORE_ERROR_CONFIG,
                         "source \"%s\": there is none; the configuration names %zu", name,
                         config->source_count);
    core_config_free(config);
    return NULL;
}
