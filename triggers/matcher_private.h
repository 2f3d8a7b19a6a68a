/* The matcher's inside: matcher.c (the thread, the lease), matcher_input.c (where it goes on),
 * matcher_match.c (changes to tasks), matcher_output.c (tasks into their stream, the position, what
 * is purged), matcher_tables.c (indexes of rules). */
#ifndef WALCAST_TRIGGERS_MATCHER_PRIVATE_H
#define WALCAST_TRIGGERS_MATCHER_PRIVATE_H

#include "triggers/inbox.h"
#include "triggers/matcher.h"
#include "triggers/record.h"
#include "triggers/rule_index.h"

#define TRIGGERS_MATCHER_MAGIC UINT32_C(0x746d6174)

/* Of one table in one shape. */
typedef struct triggers_table triggers_table;
struct triggers_table {
    triggers_table *next;
    uint32_t oid, version;
    core_slice schema, name;    /* its own memory, behind it */
    triggers_rule_index *index; /* NULL: it could not be made */
};

struct triggers_matcher {
    uint32_t magic;
    triggers_matcher_spec spec;
    core_tenants tenants;
    char change_filter[CORE_SUBJECT_MAX];
    char tasks_stream[FANOUT_NAME_MAX], tasks_subjects[CORE_SUBJECT_MAX];
    char deliveries_stream[FANOUT_NAME_MAX];
    fanout_connection *connection;
    fanout_bucket *leases, *state;
    fanout_lease *lease;
    char node[64];
    int64_t ttl_ms, keep_ms;

    fanout_publisher *publisher;
    uint64_t acked, sent; /* sequences in the stream of tasks */
    triggers_inbox *inbox;
    fanout_ordered *consumer;
    atomic_bool is_lost;

    triggers_position position; /* all before it is done; its own message, too, if `is_done` */
    bool is_done;
    char last_project[TRIGGERS_NAME_MAX + 1]; /* else: its tasks up to this one are stored */
    char last_trigger[TRIGGERS_NAME_MAX + 1];
    uint64_t position_revision; /* of its record in key-value */
    triggers_position saved;
    int64_t save_ms, purge_ms;

    const triggers_set *set;
    triggers_table *tables;
    size_t table_count;

    core_assembly assembly;
    core_arena arena;
    core_buffer body, key, arguments, task, told;
    size_t told_count;
    bool has_told;
    uint64_t told_records; /* since older ones were removed */
    int64_t max_payload;

    pthread_mutex_t lock; /* guards these */
    triggers_matcher_state state_now;
    char trouble[CORE_ERROR_TEXT_MAX];

    int wake_fd;
    atomic_bool stopping;
    bool has_thread;
    pthread_t thread;
};

/* matcher.c */
/* Keeps the lease. False: it is lost, or we are to stop. */
bool triggers_matcher_goes_on(triggers_matcher *matcher);
void triggers_matcher_wait(triggers_matcher *matcher, int fd, int64_t wait_ms);

/* matcher_input.c */
/* The place to go on from, out of the tail and the record in key-value, which is then ours. */
CORE_MUST_CHECK bool triggers_matcher_place(triggers_matcher *matcher, const fanout_tail *tail,
                                            core_error *error);
CORE_MUST_CHECK bool triggers_matcher_input_open(triggers_matcher *matcher, core_error *error);
void triggers_matcher_input_close(triggers_matcher *matcher);
/* Stores the position when all before it is stored; CONFLICT: another matcher has. */
CORE_MUST_CHECK bool triggers_matcher_save(triggers_matcher *matcher, core_error *error);

/* matcher_match.c: one message of the change stream. False: begin again from the tail. */
CORE_MUST_CHECK bool triggers_matcher_take(triggers_matcher *matcher, uint64_t sequence,
                                           core_slice message, core_error *error);

/* matcher_output.c */
CORE_MUST_CHECK bool triggers_matcher_send(triggers_matcher *matcher, uint64_t key_hash,
                                           core_slice task, core_error *error);
CORE_MUST_CHECK bool triggers_matcher_poll(triggers_matcher *matcher, core_error *error);
/* What was not decided is told, in one record. */
void triggers_matcher_tell(triggers_matcher *matcher, triggers_entry *entry);
CORE_MUST_CHECK bool triggers_matcher_tell_all(triggers_matcher *matcher, core_error *error);
/* Removes tasks that all partitions are done with. */
void triggers_matcher_purge(triggers_matcher *matcher);

/* matcher_tables.c */
/* The present set of definitions, between two messages. */
void triggers_matcher_set_renew(triggers_matcher *matcher);
/* NULL: there are no rules on the table, or their index cannot be made. */
triggers_rule_index *triggers_matcher_index(triggers_matcher *matcher,
                                            const core_relation *relation);
void triggers_matcher_tables_forget(triggers_matcher *matcher);

#endif
