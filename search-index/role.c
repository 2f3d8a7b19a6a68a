/* The role `search` of one source: its parts, started in order and stopped in the reverse one. */
#include "search-index/host.h"
#include "search-index/search_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ROLE_MAGIC UINT32_C(0x53524f4c) /* "SROL" */

/* A part may use what is in the host. */
static const search_part_maker part_rows[] = {search_indexer_part, search_keeper_part,
                                              search_directory_part, search_api_part};

typedef struct {
    core_role base; /* first: the interface points here */
    uint32_t magic;
    search_host host;
    search_part *parts[CORE_COUNT_OF(part_rows)];
    size_t count;
} search_role;

static search_role *role_of(core_role *base) {
    search_role *role = (search_role *)base;
    CORE_MAGIC_CHECK(role, ROLE_MAGIC);
    return role;
}

static bool role_start(core_role *base, core_error *error) {
    search_role *role = role_of(base);
    for (size_t i = 0; i < role->count; i++)
        if (!role->parts[i]->start(role->parts[i], error))
            return core_error_wrap(error, "%s", role->parts[i]->name);
    return true;
}

/* The worst of the parts counts; of equally bad ones all reasons are told. */
static core_readiness role_ready(core_role *base, char *reason, size_t reason_size) {
    search_role *role = role_of(base);
    core_readiness worst = CORE_READY_YES;
    for (size_t i = 0; i < role->count; i++) {
        char said[CORE_ERROR_TEXT_MAX] = "";
        search_part *part = role->parts[i];
        core_readiness ready =
            part->ready != NULL ? part->ready(part, said, sizeof said) : CORE_READY_YES;
        if (ready < worst) {
            worst = ready;
            reason[0] = '\0';
        }
        size_t used = strlen(reason);
        if (ready == worst && said[0] != '\0')
            (void)snprintf(reason + used, reason_size - used, "%s%s", used > 0 ? "; " : "", said);
    }
    return worst;
}

/* What is under way is ended by the stop. */
static void role_drain(core_role *base) {
    (void)base;
}

static bool role_drained(core_role *base) {
    (void)base;
    return true;
}

static void role_stop(core_role *base) {
    search_role *role = role_of(base);
    if (role->host.registry != NULL)
        search_registry_stop(role->host.registry);
    for (size_t i = role->count; i > 0; i--)
        role->parts[i - 1]->stop(role->parts[i - 1]);
    search_registry_free(role->host.registry);
    search_catalog_free(role->host.catalog);
    search_tasks_free(role->host.tasks);
    search_task_store_close(role->host.outcomes);
    if (role->host.wake_fd >= 0)
        (void)close(role->host.wake_fd);
    role->magic = 0;
    free(role);
}

static bool host_make(search_host *host, const search_spec *spec, core_error *error) {
    size_t max = (size_t)core_config_integer(spec->config, "search.max_indexes");
    *host = (search_host){.spec = *spec, .tenants = core_tenants_of(spec->config)};
    host->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    host->catalog = search_catalog_new(max);
    host->registry = search_registry_new(max);
    host->tasks = search_tasks_new((size_t)core_config_integer(spec->config, "search.tasks_kept"));
    return (host->wake_fd >= 0 && host->catalog != NULL && host->registry != NULL &&
            host->tasks != NULL) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the role search");
}

core_role *search_role_new(const search_spec *spec, core_error *error) {
    search_role *role = calloc(1, sizeof *role);
    if (role == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the role search");
        return NULL;
    }
    role->base = (core_role){.name = "search",
                             .start = role_start,
                             .ready = role_ready,
                             .drain = role_drain,
                             .drained = role_drained,
                             .stop = role_stop};
    role->magic = ROLE_MAGIC;
    bool ok = host_make(&role->host, spec, error);
    for (size_t i = 0; ok && i < CORE_COUNT_OF(part_rows); i++) {
        role->parts[i] = part_rows[i](&role->host, error);
        ok = role->parts[i] != NULL;
        role->count += ok;
    }
    if (ok)
        return &role->base;
    role_stop(&role->base);
    return NULL;
}
