/* The role `triggers` of one source: its parts, started in order and stopped in the reverse one. */
#include "triggers/api.h"
#include "triggers/definitions.h"
#include "triggers/deliver_part.h"
#include "triggers/directory.h"
#include "triggers/events.h"
#include "triggers/job_part.h"
#include "triggers/keyed.h"
#include "triggers/letter_keeper.h"
#include "triggers/rest.h"
#include "triggers/ticker.h"

#include <stdio.h>
#include <stdlib.h>

#define ROLE_MAGIC UINT32_C(0x54524f4c) /* "TROL" */

/* A part may use those above it. */
static const triggers_part_maker part_rows[] = {
    triggers_definitions_part,   triggers_directory_part, triggers_rest_part,
    triggers_events_part,        triggers_deliver_part,   triggers_matcher_part,
    triggers_ticker_part,        triggers_jobs_part,      triggers_keyed_part,
    triggers_letter_keeper_part,
};

typedef struct {
    core_role base; /* first: the interface points here */
    uint32_t magic;
    triggers_api *api;
    bool joined;
    triggers_host host;
    triggers_part *parts[CORE_COUNT_OF(part_rows)];
    size_t count;
} triggers_role;

static triggers_role *role_of(core_role *base) {
    triggers_role *role = (triggers_role *)base;
    CORE_MAGIC_CHECK(role, ROLE_MAGIC);
    return role;
}

static bool role_start(core_role *base, core_error *error) {
    triggers_role *role = role_of(base);
    for (size_t i = 0; i < role->count; i++)
        if (!role->parts[i]->start(role->parts[i], error))
            return core_error_wrap(error, "%s", role->parts[i]->name);
    role->joined = triggers_api_join(role->api, &role->host, error);
    return role->joined;
}

/* The worst of the parts counts; of equally bad ones all reasons are told. */
static core_readiness role_ready(core_role *base, char *reason, size_t reason_size) {
    triggers_role *role = role_of(base);
    core_readiness worst = CORE_READY_YES;
    for (size_t i = 0; i < role->count; i++) {
        char said[CORE_ERROR_TEXT_MAX] = "";
        triggers_part *part = role->parts[i];
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

/* What is under way is ended by the stop, which has its time limits. */
static void role_drain(core_role *base) {
    (void)base;
}

static bool role_drained(core_role *base) {
    (void)base;
    return true;
}

static void role_stop(core_role *base) {
    triggers_role *role = role_of(base);
    if (role->joined)
        triggers_api_leave(role->api, &role->host);
    for (size_t i = role->count; i > 0; i--)
        role->parts[i - 1]->stop(role->parts[i - 1]);
    role->magic = 0;
    free(role);
}

core_role *triggers_role_new(triggers_api *api, const triggers_spec *spec, core_error *error) {
    triggers_role *role = calloc(1, sizeof *role);
    if (role == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the role triggers");
        return NULL;
    }
    *role = (triggers_role){
        .base = {.name = "triggers",
                 .start = role_start,
                 .ready = role_ready,
                 .drain = role_drain,
                 .drained = role_drained,
                 .stop = role_stop},
        .magic = ROLE_MAGIC,
        .api = api,
        .host = {.spec = *spec, .tenants = core_tenants_of(spec->config)},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(part_rows); i++) {
        role->parts[i] = part_rows[i](&role->host, error);
        if (role->parts[i] == NULL) {
            role_stop(&role->base);
            return NULL;
        }
        role->count++;
    }
    return &role->base;
}
