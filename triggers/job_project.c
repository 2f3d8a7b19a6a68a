/* What each project holds of a partition's jobs, so that none takes the room of all; see
 * job_table.h. What is over and makes room for others by itself is not counted. */
#include "triggers/job_table.h"

#include <stddef.h>
#include <stdlib.h>

static triggers_job_project *project_of(triggers_job_map_node *node) {
    return (triggers_job_project *)(void *)((char *)node - offsetof(triggers_job_project, node));
}

static uint64_t project_hash(const triggers_jobs *jobs, core_slice name) {
    return core_slice_hash_more(jobs->spec.seed ^ UINT64_C(14695981039346656037), name);
}

static triggers_job_project *project_find(const triggers_jobs *jobs, core_slice name) {
    triggers_job_map_node *node = triggers_job_map_first(&jobs->projects, project_hash(jobs, name));
    while (node != NULL && !core_slice_equal(project_of(node)->name, name))
        node = triggers_job_map_next(node);
    return node != NULL ? project_of(node) : NULL;
}

triggers_job_project *triggers_job_project_join(triggers_jobs *jobs, core_slice name) {
    triggers_job_project *project = project_find(jobs, name);
    if (project == NULL) {
        project = calloc(1, sizeof *project + name.length);
        if (project == NULL)
            return NULL;
        uint8_t *room = project->texts;
        project->name = core_slice_keep(&room, name);
        triggers_job_map_add(&jobs->projects, &project->node, project_hash(jobs, name));
    }
    project->entries++;
    return project;
}

void triggers_job_project_leave(triggers_jobs *jobs, triggers_job_project *project) {
    assert(project->entries > 0);
    if (--project->entries > 0)
        return;
    assert(project->held == 0 && project->held_bytes == 0);
    triggers_job_map_remove(&jobs->projects, &project->node);
    free(project);
}

bool triggers_job_project_has_room(const triggers_jobs *jobs, core_slice name, size_t bytes) {
    const triggers_job_project *project = project_find(jobs, name);
    size_t held = project != NULL ? project->held : 0;
    size_t held_bytes = project != NULL ? project->held_bytes : 0;
    return (jobs->spec.project_max_jobs == 0 || held + 1 <= jobs->spec.project_max_jobs) &&
           (jobs->spec.project_max_bytes == 0 ||
            held_bytes + bytes <= jobs->spec.project_max_bytes);
}

static const char share_is_used[] =
    "refused: the project's jobs, dead ones among them, have used up its share of a partition "
    "(jobs.project_share)";

triggers_jobs_verdict triggers_job_beginning(const triggers_jobs *jobs, const triggers_job *job,
                                             int64_t now_us, triggers_job_status *status,
                                             char other[TRIGGERS_JOB_ID_LENGTH + 1]) {
    bool has_room = triggers_job_project_has_room(jobs, job->project, triggers_job_bytes(job));
    const triggers_job_entry *holder =
        job->unique_key.length > 0 ? triggers_job_by_unique(jobs, job) : NULL;
    *status = (triggers_job_status){
        .state = job->run_at_us > now_us ? TRIGGERS_JOB_SCHEDULED : TRIGGERS_JOB_READY,
        .due_us = job->run_at_us > job->created_us ? job->run_at_us : job->created_us,
    };
    if (holder == NULL && has_room)
        return TRIGGERS_JOBS_OK;
    status->finished_us = status->due_us = now_us;
    if (holder == NULL) {
        status->state = TRIGGERS_JOB_CANCELLED;
        status->error = core_slice_text(share_is_used);
        return TRIGGERS_JOBS_REFUSED;
    }
    memcpy(other, holder->asked.id, sizeof holder->asked.id);
    status->state = TRIGGERS_JOB_DUPLICATE;
    status->callback_due = has_room && job->callback_url.length > 0; /* it stays until told */
    status->error = core_slice_text(other);
    return TRIGGERS_JOBS_DUPLICATE;
}
