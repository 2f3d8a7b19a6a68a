/* The roles that a process hosts, as one: started, asked, drained and stopped together. Private to
 * cli. */
#ifndef WALCAST_CLI_ROLES_H
#define WALCAST_CLI_ROLES_H

#include "search-index/search_index.h"
#include "triggers/triggers.h"
#include "ws/ws.h"

#include <stdatomic.h>

#define CLI_ROLES_MAX (8 * (CORE_CONFIG_SOURCES_MAX + 1))

typedef struct {
    core_role *roles[CLI_ROLES_MAX];
    const char *sources[CLI_ROLES_MAX]; /* whose each is; NULL: the first source's */
    atomic_size_t count;                /* roles that readiness asks; grows only */
    atomic_bool started;                /* all of them */
    atomic_bool draining;
} cli_roles;

/* Through which requests reach roles; NULL: that role is not wanted. */
typedef struct {
    triggers_api *triggers;
    search_api *search;
} cli_apis;

/* Whether the configuration names the role. */
bool cli_roles_want(const core_config *config, const char *name);
/* Makes and starts the roles that the configuration names; everything must outlive them. False with
 * those that started left running: stop them. */
CORE_MUST_CHECK bool cli_roles_start(cli_roles *roles, ws_server *server, const cli_apis *apis,
                                     const ws_server_spec *spec, core_error *error);
/* For ws_server_spec.ready: `context` is the cli_roles. Any thread. */
core_readiness cli_roles_ready(void *context, char *reason, size_t reason_size);
/* Readiness turns false first, then each role drains. Returns at once. */
void cli_roles_drain(cli_roles *roles);
bool cli_roles_drained(cli_roles *roles);
/* In the reverse order of their start. */
void cli_roles_stop(cli_roles *roles);

#endif
