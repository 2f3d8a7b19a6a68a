/* The process's roles; see roles.h. One row makes each role; the rest knows only the interface. */
#include "cli/roles.h"

#include "cdc/cdc.h"
#include "search-index/search_index.h"

#include <stdio.h>

/* What a source's roles are made of. */
typedef struct {
    ws_server *server;
    triggers_api *triggers;
    search_api *search;
    auth_audit *audit;
    ws_gateway_spec gateway;
} role_source;

static core_role *role_cdc_new(const role_source *source, core_error *error) {
    const ws_gateway_spec *spec = &source->gateway;
    return cdc_role_new(spec->config, spec->log, spec->metrics, spec->clock, error);
}

static core_role *role_ws_new(const role_source *source, core_error *error) {
    return ws_gateway_role_new(source->server, &source->gateway, error);
}

static core_role *role_search_new(const role_source *source, core_error *error) {
    const ws_gateway_spec *gateway = &source->gateway;
    const search_spec spec = {.config = gateway->config,
                              .log = gateway->log,
                              .metrics = gateway->metrics,
                              .clock = gateway->clock,
                              .audit = source->audit,
                              .api = source->search};
    return search_role_new(&spec, error);
}

static core_role *role_triggers_new(const role_source *source, core_error *error) {
    const ws_gateway_spec *gateway = &source->gateway;
    const triggers_spec spec = {.config = gateway->config,
                                .log = gateway->log,
                                .metrics = gateway->metrics,
                                .clock = gateway->clock,
                                .audit = source->audit};
    return triggers_role_new(source->triggers, &spec, error);
}

/* Each source has its own of every role. */
static const struct {
    const char *name; /* in `roles` */
    core_role *(*make)(const role_source *source, core_error *error);
} role_rows[] = {
    {"cdc", role_cdc_new},
    {"ws", role_ws_new},
    {"triggers", role_triggers_new},
    {"search", role_search_new},
};

bool cli_roles_want(const core_config *config, const char *name) {
    size_t count = core_config_list_count(config, "roles");
    for (size_t i = 0; i < count; i++)
        if (strcmp(core_config_list_item(config, "roles", i), name) == 0)
            return true;
    return false;
}

static bool role_start(cli_roles *roles, size_t row, const role_source *made_of,
                       core_error *error) {
    const ws_gateway_spec *spec = &made_of->gateway;
    const char *source = core_config_source_name(spec->config);
    core_role *role = role_rows[row].make(made_of, error);
    if (role == NULL)
        return core_error_wrap(error, "role %s", role_rows[row].name);
    size_t count = atomic_load(&roles->count);
    roles->roles[count] = role;
    roles->sources[count] = source;
    atomic_store(&roles->count, count + 1);
    if (!role->start(role, error))
        return core_error_wrap(error, "role %s", role_rows[row].name);
    CORE_LOG(spec->log, INFO, "cli", "role started", CORE_LOG_TEXT("role", role->name));
    return true;
}

static bool source_start(cli_roles *roles, const role_source *made_of, core_error *error) {
    const ws_gateway_spec *spec = &made_of->gateway;
    const char *source = core_config_source_name(spec->config);
    for (size_t i = 0; i < CORE_COUNT_OF(role_rows); i++)
        if (cli_roles_want(spec->config, role_rows[i].name) &&
            !role_start(roles, i, made_of, error))
            return source != NULL ? core_error_wrap(error, "source %s", source) : false;
    return true;
}

/* What a further source says in log and metrics has its name. */
static bool source_name(ws_gateway_spec *source, core_error *error) {
    const char *name = core_config_source_name(source->config);
    if (name == NULL)
        return true;
    source->log = core_log_source(source->log, name);
    source->metrics = core_metrics_source(source->metrics, name, error);
    if (source->log == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the log of %s", name);
    return source->metrics != NULL;
}

bool cli_roles_start(cli_roles *roles, ws_server *server, const cli_apis *apis,
                     const ws_server_spec *spec, core_error *error) {
    for (size_t i = 0; i < core_config_source_count(spec->config); i++) {
        role_source source = {.server = server,
                              .triggers = apis->triggers,
                              .search = apis->search,
                              .audit = spec->audit,
                              .gateway = {.source = (unsigned)i,
                                          .config = core_config_source(spec->config, i),
                                          .log = spec->log,
                                          .metrics = spec->metrics,
                                          .clock = spec->clock}};
        if (!source_name(&source.gateway, error) || !source_start(roles, &source, error))
            return false;
    }
    atomic_store(&roles->started, true);
    return true;
}

/* "NAME [of SOURCE]: SAID", behind "; " when a reason is there already. */
static void reason_add(char *reason, size_t reason_size, const char *name, const char *source,
                       const char *said) {
    size_t used = strlen(reason);
    (void)snprintf(reason + used, reason_size - used, "%s%s%s%s: %s", used > 0 ? "; " : "", name,
                   source != NULL ? " of " : "", source != NULL ? source : "", said);
}

core_readiness cli_roles_ready(void *context, char *reason, size_t reason_size) {
    cli_roles *roles = context;
    if (!atomic_load(&roles->started) || atomic_load(&roles->draining)) {
        (void)snprintf(reason, reason_size, "%s",
                       atomic_load(&roles->draining) ? "draining" : "starting");
        return CORE_READY_NO;
    }
    core_readiness worst = CORE_READY_YES;
    size_t count = atomic_load(&roles->count);
    for (size_t i = 0; i < count; i++) {
        char said[CORE_ERROR_TEXT_MAX] = "";
        core_readiness ready = roles->roles[i]->ready(roles->roles[i], said, sizeof said);
        if (ready < worst) {
            worst = ready;
            reason[0] = '\0';
        }
        if (ready == worst && said[0] != '\0')
            reason_add(reason, reason_size, roles->roles[i]->name, roles->sources[i], said);
    }
    return worst;
}

void cli_roles_drain(cli_roles *roles) {
    atomic_store(&roles->draining, true);
    size_t count = atomic_load(&roles->count);
    for (size_t i = 0; i < count; i++)
        roles->roles[i]->drain(roles->roles[i]);
}

bool cli_roles_drained(cli_roles *roles) {
    size_t count = atomic_load(&roles->count);
    for (size_t i = 0; i < count; i++)
        if (!roles->roles[i]->drained(roles->roles[i]))
            return false;
    return true;
}

void cli_roles_stop(cli_roles *roles) {
    for (size_t i = atomic_load(&roles->count); i > 0; i--)
        roles->roles[i - 1]->stop(roles->roles[i - 1]);
}
