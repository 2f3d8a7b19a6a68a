/* Projects: what the lanes of one have together of what waits; see partition_private.h.
 *
 * A project lives as long as a lane of it does, and is only counted where there are several. */
#include "triggers/partition_private.h"

#include <stdlib.h>

static uint64_t project_hash(const triggers_partition *partition, core_slice name) {
    return core_slice_hash_more(
        core_slice_hash(core_slice_make(&partition->limits.seed, sizeof partition->limits.seed)),
        name);
}

static partition_project *project_find(const triggers_partition *partition, core_slice name) {
    triggers_job_map_node *node =
        triggers_job_map_first(&partition->projects, project_hash(partition, name));
    for (; node != NULL; node = triggers_job_map_next(node)) {
        partition_project *project = (partition_project *)(void *)node;
        if (core_slice_equal(project->name, name))
            return project;
    }
    return NULL;
}

partition_project *partition_project_get(triggers_partition *partition, core_slice name) {
    partition_project *project = project_find(partition, name);
    if (project == NULL) {
        project = calloc(1, sizeof *project + name.length);
        if (project == NULL)
            return NULL;
        uint8_t *room = (uint8_t *)(project + 1);
        project->name = core_slice_keep(&room, name);
        triggers_job_map_add(&partition->projects, &project->node, project_hash(partition, name));
    }
    project->lanes++;
    return project;
}

void partition_project_drop(triggers_partition *partition, partition_project *project) {
    if (--project->lanes > 0)
        return;
    triggers_job_map_remove(&partition->projects, &project->node);
    free(project);
}

bool partition_project_is_idle(const partition_project *project) {
    return project->parked_keys == 0 && project->reserved_keys == 0 && project->held_bytes == 0;
}

bool partition_project_may_park(const triggers_partition *partition,
                                const partition_project *project, size_t free_keys) {
    return !partition->limits.has_projects ||
           project->parked_keys + project->reserved_keys < free_keys;
}

bool partition_project_may_hold(const triggers_partition *partition,
                                const partition_project *project, uint64_t free_bytes) {
    uint64_t partitions = partition->limits.partitions > 0 ? partition->limits.partitions : 1;
    return !partition->limits.has_projects || project->held_bytes * partitions < free_bytes;
}
