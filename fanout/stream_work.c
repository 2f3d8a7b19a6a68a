/* The specs of the streams that triggers and search indexes live on; see fanout.h.
 *
 * All of them discard new: a task, a parked task and a dead letter are somebody's event, and a
 * record of a partition's log is what says that an event is done with. None of them forgets by age:
 * a system that stood still for a week goes on where it stood. What is done with is purged by its
 * owner. */
#include "fanout/fanout.h"

#include <stdio.h>

/* Dead letters and jobs that are published again carry the same id. */
static const int64_t repeat_window_ms = 2 * 60 * CORE_MS_PER_S;
static const int64_t unused_window_ms = 100; /* ids are used once; the least allowed */

typedef struct {
    const char *suffix; /* of the stream's name */
    const char *word;   /* of its subjects */
    const char *bytes;  /* the key of its size */
    int64_t duplicate_window_ms;
    bool allows_delete; /* a letter is replayed or thrown away among others */
} work_row;

static const work_row work_rows[] = {
    [FANOUT_WORK_TASKS] = {"TRIGGERS", "triggers", "triggers.max_bytes", unused_window_ms, false},
    [FANOUT_WORK_DELIVERIES] = {"DELIVERIES", "deliveries", "triggers.history_bytes",
                                unused_window_ms, false},
    [FANOUT_WORK_PARKED] = {"PARKED", "parked", "triggers.parked_bytes", repeat_window_ms, false},
    [FANOUT_WORK_DEAD] = {"DLQ", "dlq", "triggers.dlq_bytes", repeat_window_ms, true},
    [FANOUT_WORK_JOBS] = {"JOBS", "jobs", "jobs.max_bytes", repeat_window_ms, false},
    [FANOUT_WORK_JOB_LOGS] = {"JOBLOG", "joblog", "jobs.log_bytes", unused_window_ms, false},
    [FANOUT_WORK_WORKFLOWS] = {"WORKFLOWS", "workflows", "workflows.max_bytes", repeat_window_ms,
                               false},
    [FANOUT_WORK_SEARCH] = {"SEARCH", "search", "search.log_bytes", repeat_window_ms, false},
    [FANOUT_WORK_SEARCH_BASE] = {"SEARCHBASE", "searchbase", "search.base_bytes", unused_window_ms,
                                 false},
};

const char *fanout_work_word(fanout_work work) {
    return work_rows[work].word;
}

fanout_stream_spec fanout_stream_work_spec(const core_config *config, fanout_work work,
                                           char name[FANOUT_NAME_MAX],
                                           char subjects[CORE_SUBJECT_MAX]) {
    const work_row *row = &work_rows[work];
    (void)snprintf(name, FANOUT_NAME_MAX, "%s_%s", core_config_text(config, "nats.stream"),
                   row->suffix);
    /* One that does not fit is empty, which the server refuses. */
    (void)!core_subject_work(config, row->word, NULL, subjects);
    return (fanout_stream_spec){
        .name = name,
        .subjects = subjects,
        .max_bytes = core_config_integer(config, row->bytes),
        .replicas = (int)core_config_integer(config, "nats.replicas"),
        .duplicate_window_ms = row->duplicate_window_ms,
        .allows_purge = true,
        .allows_delete = row->allows_delete,
    };
}
