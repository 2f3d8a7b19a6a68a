/* See quota_table.h. Open addressing over numbers: a number is put into the index only once its
 * project is whole, so a reader finds all of it or nothing. */
#include "auth/quota_table.h"

#include <stdlib.h>

#define INDEX_SIZE ((size_t)32768) /* over three times AUTH_PROJECTS_MAX */

int64_t auth_tier_limit(const core_config *config, core_slice tier) {
    if (core_slice_is(tier, "free"))
        return core_config_integer(config, "limits.free");
    if (core_slice_is(tier, "pro"))
        return core_config_integer(config, "limits.pro");
    if (core_slice_is(tier, "enterprise"))
        return core_config_integer(config, "limits.enterprise");
    return 0;
}

bool auth_tier_split(const char *item, core_slice *project, core_slice *tier) {
    const char *equals = strrchr(item, '=');
    if (equals == NULL || equals == item)
        return false;
    *project = core_slice_make(item, (size_t)(equals - item));
    *tier = core_slice_text(equals + 1);
    return true;
}

static int64_t tiers_limit(const auth_tiers *tiers, core_slice name) {
    size_t count = core_config_list_count(tiers->config, "limits.projects");
    for (size_t i = 0; i < count; i++) {
        core_slice project, tier;
        if (auth_tier_split(core_config_list_item(tiers->config, "limits.projects", i), &project,
                            &tier) &&
            core_slice_equal(project, name))
            return auth_tier_limit(tiers->config, tier);
    }
    return tiers->usual;
}

static auth_project *project_new(core_slice name, int64_t limit) {
    auth_project *project = calloc(1, sizeof *project);
    if (project == NULL)
        return NULL;
    project->limit = limit;
    memcpy(project->name, name.data, name.length);
    return project;
}

bool auth_quota_table_init(auth_quota_table *table, const core_config *config) {
    *table = (auth_quota_table){.tiers = {.config = config}};
    table->tiers.usual =
        auth_tier_limit(config, core_slice_text(core_config_text(config, "limits.tier")));
    (void)pthread_mutex_init(&table->lock, NULL);
    table->projects = calloc(AUTH_PROJECTS_MAX + 1, sizeof *table->projects);
    table->index = calloc(INDEX_SIZE, sizeof *table->index);
    auth_project *others = project_new(core_slice_text(AUTH_PROJECTS_OTHERS), table->tiers.usual);
    if (table->projects == NULL || table->index == NULL || others == NULL) {
        free(others);
        return false;
    }
    atomic_store(&table->projects[0], others);
    atomic_store(&table->count, 1);
    return true;
}

void auth_quota_table_fini(auth_quota_table *table) {
    size_t count = atomic_load(&table->count);
    for (size_t i = 0; i < count; i++)
        free(atomic_load(&table->projects[i]));
    free(table->projects);
    free(table->index);
    (void)pthread_mutex_destroy(&table->lock);
}

auth_project *auth_quota_table_at(const auth_quota_table *table, size_t number) {
    return atomic_load_explicit(&table->projects[number], memory_order_acquire);
}

/* NULL: it is not there; `*place` is where it would be. */
static auth_project *table_look(const auth_quota_table *table, core_slice name, size_t *place) {
    size_t at = (size_t)core_slice_hash(name) % INDEX_SIZE;
    for (;; at = (at + 1) % INDEX_SIZE) {
        uint32_t number = atomic_load_explicit(&table->index[at], memory_order_acquire);
        *place = at;
        if (number == 0)
            return NULL;
        auth_project *project = auth_quota_table_at(table, number - 1);
        if (core_slice_is(name, project->name))
            return project;
    }
}

/* With the lock. */
static auth_project *table_add(auth_quota_table *table, core_slice name) {
    size_t place, count = atomic_load(&table->count);
    auth_project *project = table_look(table, name, &place);
    if (project != NULL || count > AUTH_PROJECTS_MAX)
        return project;
    project = project_new(name, tiers_limit(&table->tiers, name));
    if (project == NULL)
        return NULL;
    atomic_store(&table->projects[count], project);
    atomic_store(&table->count, count + 1);
    atomic_store_explicit(&table->index[place], (uint32_t)count + 1, memory_order_release);
    return project;
}

auth_project *auth_quota_table_find(auth_quota_table *table, core_slice name) {
    size_t place;
    auth_project *project = NULL;
    bool fits = name.length > 0 && name.length <= AUTH_PROJECT_MAX &&
                !core_slice_is(name, AUTH_PROJECTS_OTHERS);
    if (fits) {
        project = table_look(table, name, &place);
        if (project == NULL) {
            (void)pthread_mutex_lock(&table->lock);
            project = table_add(table, name);
            (void)pthread_mutex_unlock(&table->lock);
        }
    }
    return project != NULL ? project : auth_quota_table_at(table, 0);
}
