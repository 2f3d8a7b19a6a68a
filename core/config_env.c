/* The environment as a source of configuration; see config_private.h.
 *
 * `postgres.url` comes from WALCAST_POSTGRES_URL; an empty variable counts as absent, so that a
 * compose file may pass on what it does not have. A variable that is near a key's name, or in a
 * section of the configuration, and still no key, is a mistake and is told; any other WALCAST_*
 * belongs to somebody else, and so do those that Kubernetes makes for a service named walcast-*
 * (..._SERVICE_HOST, ..._PORT_4222_TCP). */
#include "core/config_private.h"

#include <ctype.h>

void core_config_env_name(const char *key, char name[CORE_CONFIG_KEY_MAX]) {
    (void)snprintf(name, CORE_CONFIG_KEY_MAX, CORE_CONFIG_ENV_PREFIX "%s", key);
    for (char *at = name; *at != '\0'; at++)
        *at = (char)(*at == '.' ? '_' : toupper((unsigned char)*at));
}

static const core_config_row *env_row_find(const char *name) {
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    for (size_t i = 0; i < count; i++) {
        char known[CORE_CONFIG_KEY_MAX];
        core_config_env_name(rows[i].key, known);
        if (strcmp(known, name) == 0)
            return &rows[i];
    }
    return NULL;
}

/* Does the name go on behind the section of some key: WALCAST_NATS_? */
static bool env_in_section(const char *name) {
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    for (size_t i = 0; i < count; i++) {
        char known[CORE_CONFIG_KEY_MAX];
        size_t section = strcspn(rows[i].key, ".");
        core_config_env_name(rows[i].key, known);
        if (rows[i].key[section] == '.' &&
            strncmp(known, name, strlen(CORE_CONFIG_ENV_PREFIX) + section + 1) == 0)
            return true;
    }
    return false;
}

static bool env_is_kubernetes(const char *name) {
    return strstr(name, "_SERVICE_HOST") != NULL || strstr(name, "_SERVICE_PORT") != NULL ||
           strstr(name, "_PORT") != NULL;
}

static void env_unknown(core_config_loader *loader, const char *name) {
    if (strcmp(name, CORE_CONFIG_ENV_FILE) == 0 || env_is_kubernetes(name))
        return;
    const char *nearest = core_config_nearest(name, true);
    if (nearest != NULL) {
        char known[CORE_CONFIG_KEY_MAX];
        core_config_env_name(nearest, known);
        core_config_problem(loader, name, "unknown variable; did you mean %s, for %s?", known,
                            nearest);
    } else if (strncmp(name, CORE_CONFIG_ENV_PREFIX "SOURCES_",
                       strlen(CORE_CONFIG_ENV_PREFIX "SOURCES_")) == 0) {
        core_config_problem(loader, name,
                            "names no key of a source that the file has: expected "
                            "WALCAST_SOURCES_NAME_KEY");
    } else if (env_in_section(name)) {
        core_config_problem(loader, name, "unknown variable; docs/CONFIG.md lists all");
    }
}

/* The key of WALCAST_SOURCES_ACME_POSTGRES_URL, of a source that the file names; false: it is
 * none's. */
static bool env_source_key(const core_config *config, const char *name,
                           char key[CORE_CONFIG_KEY_MAX]) {
    for (size_t i = 1; i < core_config_source_count(config); i++) {
        char section[CORE_CONFIG_KEY_MAX], bare[CORE_CONFIG_KEY_MAX], path[CORE_CONFIG_KEY_MAX];
        const char *source = core_config_source_name(core_config_source(config, i));
        (void)snprintf(path, sizeof path, "sources.%s.", source);
        core_config_env_name(path, section);
        if (strncmp(name, section, strlen(section)) != 0)
            continue;
        (void)snprintf(bare, sizeof bare, CORE_CONFIG_ENV_PREFIX "%s", name + strlen(section));
        const core_config_row *row = env_row_find(bare);
        if (row != NULL &&
            snprintf(key, CORE_CONFIG_KEY_MAX, "%s%s", path, row->key) < CORE_CONFIG_KEY_MAX)
            return true;
    }
    return false;
}

static void env_variable_apply(core_config_loader *loader, const char *variable) {
    char name[CORE_CONFIG_KEY_MAX];
    size_t length = strcspn(variable, "=");
    if (variable[length] != '=' || length >= sizeof name)
        return;
    memcpy(name, variable, length);
    name[length] = '\0';
    const core_config_row *row = env_row_find(name);
    char key[CORE_CONFIG_KEY_MAX];
    if (row == NULL && !env_source_key(loader->config, name, key)) {
        env_unknown(loader, name);
        return;
    }
    const char *value = variable + length + 1;
    core_config_entry entry = {.key = row != NULL ? row->key : key,
                               .items = &value,
                               .count = 1,
                               .origin = name,
                               .layer = CORE_CONFIG_LAYER_ENVIRONMENT};
    if (*value != '\0')
        core_config_apply(loader, &entry);
}

void core_config_env_apply(core_config_loader *loader, char *const *environment) {
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, CORE_CONFIG_ENV_PREFIX, strlen(CORE_CONFIG_ENV_PREFIX)) == 0)
            env_variable_apply(loader, *environment);
}
