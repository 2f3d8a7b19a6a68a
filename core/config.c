/* Loading and reading the configuration; see config.h.
 *
 * Happy path: defaults, file and environment are applied in that order, each entry checked as it
 * comes; a later one replaces the value. Every problem is told, then the config is given up. */
#include "core/config_private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CONFIG_FILE_DEFAULT "walcast.yaml"

const core_config_row *core_config_row_find(const char *key) {
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].key, key) == 0)
            return &rows[i];
    return NULL;
}

static core_config_value *config_value(const core_config *config, const core_config_row *row) {
    size_t count;
    return &config->values[row - core_config_rows(&count)];
}

const core_config_value *core_config_value_at(const core_config *config,
                                              const core_config_row *row) {
    return config_value(config, row);
}

void core_config_apply(core_config_loader *loader, const core_config_entry *entry) {
    const char *bare = core_config_key_bare(entry->key);
    const core_config_row *row = core_config_row_find(bare);
    if (row == NULL) {
        core_config_unknown(loader, entry->origin, *bare != '\0' ? bare : entry->key);
        return;
    }
    core_config *config = bare == entry->key ? loader->config : core_config_overlay(loader, entry);
    if (config == NULL)
        return;
    core_config_value *value = config_value(config, row);
    if (value->set && value->layer == entry->layer) {
        core_config_problem(loader, entry->origin, "%s: is set twice, first at %s; keep one",
                            entry->key, value->origin);
        return;
    }
    core_config_value fresh;
    core_error error;
    if (!core_config_value_parse(row, entry, &fresh, &error)) {
        char shown[CORE_CONFIG_SHOWN_MAX];
        core_config_shown(row, entry, shown);
        core_config_problem(loader, entry->origin, "%s: %s: %s", entry->key, shown, error.text);
        return;
    }
    core_config_value_fini(value);
    *value = fresh;
}

static void config_defaults_apply(core_config_loader *loader) {
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    for (size_t i = 0; i < count; i++) {
        core_config_entry entry = {.key = rows[i].key,
                                   .items = &rows[i].initial,
                                   .count = 1,
                                   .origin = "default",
                                   .layer = CORE_CONFIG_LAYER_DEFAULT};
        if (rows[i].initial != NULL)
            core_config_apply(loader, &entry);
    }
}

/* ---- The file ---- */

static void config_stream_apply(core_config_loader *loader, FILE *file, const char *path) {
    core_buffer text;
    core_buffer_init(&text, CORE_CONFIG_FILE_MAX_BYTES + 1);
    uint8_t *target = core_buffer_reserve(&text, CORE_CONFIG_FILE_MAX_BYTES + 1);
    size_t length = target != NULL ? fread(target, 1, CORE_CONFIG_FILE_MAX_BYTES + 1, file) : 0;
    if (target == NULL || ferror(file))
        core_config_problem(loader, path, "cannot be read: %s", strerror(errno));
    else if (length > CORE_CONFIG_FILE_MAX_BYTES)
        core_config_problem(loader, path, "is too large: expected at most %zu bytes of YAML",
                            CORE_CONFIG_FILE_MAX_BYTES);
    else
        core_config_yaml_apply(loader, core_slice_make(target, length), path);
    core_buffer_fini(&text);
}

static void config_file_apply(core_config_loader *loader, const char *path) {
    const char *named = path != NULL ? path : getenv(CORE_CONFIG_ENV_FILE);
    bool must_exist = named != NULL && *named != '\0';
    if (!must_exist)
        named = CONFIG_FILE_DEFAULT;
    FILE *file = fopen(named, "re");
    if (file != NULL) {
        config_stream_apply(loader, file, named);
        (void)fclose(file);
    } else if (must_exist || errno != ENOENT) {
        core_config_problem(loader, named, "cannot be opened: %s; expected a readable YAML file",
                            strerror(errno));
    }
}

core_config *core_config_new(void) {
    size_t count;
    (void)core_config_rows(&count);
    core_config *config = calloc(1, sizeof *config);
    core_config_value *values = calloc(count, sizeof *values);
    if (config == NULL || values == NULL) {
        free(config);
        free(values);
        return NULL;
    }
    config->values = values;
    return config;
}

core_config *core_config_load(const char *path, FILE *report) {
    core_config_loader loader = {.config = core_config_new(), .report = report};
    if (loader.config == NULL) {
        (void)fprintf(report, "configuration: out of memory\n");
        return NULL;
    }
    config_defaults_apply(&loader);
    assert(loader.problems == 0);
    config_file_apply(&loader, path);
    core_config_env_apply(&loader, environ);
    if (loader.problems == 0)
        core_config_check_together(&loader);
    if (loader.problems == 0)
        core_config_sources_finish(&loader);
    if (loader.problems == 0)
        return loader.config;
    core_config_problems_end(&loader);
    core_config_free(loader.config);
    return NULL;
}

void core_config_free(core_config *config) {
    if (config == NULL)
        return;
    size_t count;
    (void)core_config_rows(&count);
    for (size_t i = 0; i < count; i++)
        core_config_value_fini(&config->values[i]);
    for (size_t i = 0; i < config->source_count; i++)
        core_config_free(config->sources[i]);
    free(config->source);
    free(config->stream_base);
    free(config->values);
    free(config);
}

bool core_config_set(core_config *config, const char *key, const char *value, const char *origin,
                     core_error *error) {
    const core_config_row *row = core_config_row_find(key);
    if (row == NULL)
        return core_error_set(error, CORE_ERROR_CONFIG, "%s: %s: unknown key", origin, key);
    core_config_entry entry = {.key = key,
                               .items = &value,
                               .count = 1,
                               .origin = origin,
                               .layer = CORE_CONFIG_LAYER_COMMAND};
    core_config_value fresh;
    core_error reason;
    if (!core_config_value_parse(row, &entry, &fresh, &reason)) {
        char shown[CORE_CONFIG_SHOWN_MAX];
        core_config_shown(row, &entry, shown);
        return core_error_set(error, CORE_ERROR_CONFIG, "%s: %s: %s: %s", origin, key, shown,
                              reason.text);
    }
    core_config_value_fini(config_value(config, row));
    *config_value(config, row) = fresh;
    for (size_t i = 0; i < config->source_count; i++)
        if (!core_config_set(config->sources[i], key, value, origin, error))
            return false;
    return true;
}

/* ---- Reading ---- */

#define CONFIG_TYPE_BIT(type) (1u << (type))
#define CONFIG_TYPES_TEXT     (CONFIG_TYPE_BIT(CORE_CONFIG_TEXT) | CONFIG_TYPE_BIT(CORE_CONFIG_CHOICE))
#define CONFIG_TYPES_NUMBER                                                                        \
    (CONFIG_TYPE_BIT(CORE_CONFIG_INTEGER) | CONFIG_TYPE_BIT(CORE_CONFIG_BYTES) |                   \
     CONFIG_TYPE_BIT(CORE_CONFIG_DURATION))

static const core_config_value *config_read(const core_config *config, const char *key,
                                            unsigned types) {
    const core_config_row *row = core_config_row_find(key);
    if (row == NULL || !(types & CONFIG_TYPE_BIT(row->type))) {
        (void)fprintf(stderr, "walcast: bug: %s is no configuration key of the kind asked for\n",
                      key);
        abort();
    }
    return config_value(config, row);
}

const char *core_config_text(const core_config *config, const char *key) {
    return config_read(config, key, CONFIG_TYPES_TEXT)->text;
}

int64_t core_config_integer(const core_config *config, const char *key) {
    return config_read(config, key, CONFIG_TYPES_NUMBER)->number;
}

bool core_config_bool(const core_config *config, const char *key) {
    return config_read(config, key, CONFIG_TYPE_BIT(CORE_CONFIG_BOOL))->number != 0;
}

size_t core_config_list_count(const core_config *config, const char *key) {
    return config_read(config, key, CONFIG_TYPE_BIT(CORE_CONFIG_LIST))->count;
}

const char *core_config_list_item(const core_config *config, const char *key, size_t index) {
    const core_config_value *value = config_read(config, key, CONFIG_TYPE_BIT(CORE_CONFIG_LIST));
    assert(index < value->count);
    return value->items[index];
}

const char *const *core_config_list_items(const core_config *config, const char *key) {
    return (const char *const *)config_read(config, key, CONFIG_TYPE_BIT(CORE_CONFIG_LIST))->items;
}

const char *core_config_origin(const core_config *config, const char *key) {
    const core_config_value *value = config_read(config, key, ~0u);
    return value->set ? value->origin : "default";
}
