/* Tenancy: which project a schema belongs to, and which source hosts a project.
 *
 * A source is one database and one stream. It has a project and an environment of its own; with
 * `postgres.tenant_schemas` it holds further projects, each in schemas of its own: the pattern
 * `proj_{project_id}` makes schema proj_acme project acme's. A schema of no pattern, or whose name
 * gives no usable id, is the source's own project's. Pure; texts live as long as the config. */
#ifndef WALCAST_CORE_TENANT_H
#define WALCAST_CORE_TENANT_H

#include "core/buffer.h"
#include "core/config.h"
#include "core/slice.h"

#define CORE_TENANT_SCHEMA_SIZE 64 /* PostgreSQL's NAMEDATALEN, NUL included */
#define CORE_TENANT_MARK        "{project_id}"
/* The schema that a client of a tenant means its home by, whatever its name. */
#define CORE_TENANT_HOME "public"

typedef struct {
    const char *project; /* the source's own */
    const char *environment;
    const char *const *patterns; /* the first one's schema is a tenant's home */
    size_t count;
} core_tenants;

core_tenants core_tenants_of(const core_config *source);
/* The project that the schema is a tenant's of, within `schema`; empty: it is the source's own. */
core_slice core_tenants_project(const core_tenants *tenants, core_slice schema);
/* Whether the schema is the project's. */
bool core_tenants_owns(const core_tenants *tenants, core_slice project, core_slice schema);
/* The tenant's home schema. False when `project` is the source's own, or has none. */
CORE_MUST_CHECK bool core_tenants_home(const core_tenants *tenants, core_slice project,
                                       char schema[CORE_TENANT_SCHEMA_SIZE]);
/* What a schema's readers call it: a tenant's home `public`; empty: any other by its name. */
core_slice core_tenants_shown(const core_tenants *tenants, core_slice schema);
/* The source's own project, or one that could have a schema here; NULL `environment`: any. */
bool core_tenants_hosts(const core_tenants *tenants, const char *project, const char *environment);

/* The first source of the process, `config` itself among them, that hosts the project; NULL: none
 * does. */
const core_config *core_tenants_source(const core_config *config, const char *project,
                                       const char *environment);

/* One mark, some text beside it, no longer than a schema's name may be. */
CORE_MUST_CHECK bool core_tenant_pattern_valid(const char *pattern);
/* Whether a schema's name could match both. */
bool core_tenant_patterns_overlap(const char *a, const char *b);
/* As the pattern of PostgreSQL's LIKE, appended. */
void core_tenant_pattern_like(const char *pattern, core_buffer *out);

#endif
