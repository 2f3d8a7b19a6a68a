/* The matcher's inside: matcher.c (the thread, the lease, whose message is next), matcher_place.c
 * (where it goes on), matcher_input.c (feeds opened there), matcher_change.c and matcher_event.c (a
 * message of either kind), matcher_match.c (matches to tasks), matcher_output.c (tasks into their
 * stream, what is told, what is purged), matcher_starts.c (who begins in the past),
 * matcher_tables.c (indexes of rules). */
#ifndef WALCAST_TRIGGERS_MATCHER_PRIVATE_H
#define WALCAST_TRIGGERS_MATCHER_PRIVATE_H

#include "triggers/body.h"
#include "triggers/feed.h"
#include "triggers/heard.h"
#include "triggers/ledger.h"
#include "triggers/matcher.h"
#include "triggers/record.h"
#include "triggers/round.h"
#include "triggers/rule_index.h"

#define TRIGGERS_MATCHER_MAGIC   UINT32_C(0x746d6174)
#define TRIGGERS_MATCHER_BUCKETS 512u

/* What a feed reads. */
typedef enum {
    TRIGGERS_STREAM_CHANGES,
    TRIGGERS_STREAM_EVENTS,
    TRIGGERS_STREAMS,
} triggers_stream_kind;

static inline triggers_stream_kind triggers_input_kind(triggers_input input) {
    return input % (unsigned)TRIGGERS_STREAMS == 0 ? TRIGGERS_STREAM_CHANGES
                                                   : TRIGGERS_STREAM_EVENTS;
}
/* The live one of its kind. */
static inline triggers_input triggers_input_live(triggers_input input) {
    return (triggers_input)(input % (unsigned)TRIGGERS_STREAMS);
}
static inline bool triggers_input_is_live(triggers_input input) {
    return input <= TRIGGERS_INPUT_EVENTS;
}

typedef struct {
    char name[FANOUT_NAME_MAX];
    char filter[CORE_SUBJECT_MAX];
    char epoch[CORE_EPOCH_TEXT_SIZE]; /* of the stream of events */
} triggers_matcher_stream;

/* Rules of one table in one shape, or of one project's events of one type. */
typedef struct triggers_table triggers_table;
struct triggers_table {
    triggers_table *next; /* of its bucket */
    uint32_t oid, version;
    core_slice schema, name;    /* its own memory, behind it */
    triggers_rule_index *index; /* NULL: it could not be made, or there are none */
};

/* Those that were asked for since the set came. */
typedef struct {
    triggers_table *buckets[TRIGGERS_MATCHER_BUCKETS];
    size_t count;
} triggers_tables;

struct triggers_matcher {
    uint32_t magic;
    triggers_matcher_spec spec;
    core_tenants tenants;
    triggers_matcher_stream streams[TRIGGERS_STREAMS];
    char tasks_stream[FANOUT_NAME_MAX], tasks_subjects[CORE_SUBJECT_MAX];
    char deliveries_stream[FANOUT_NAME_MAX];
    fanout_connection *connection;
    fanout_bucket *leases, *state;
    fanout_lease *lease;
    char node[64];
    int64_t ttl_ms, keep_ms;

    fanout_publisher *publisher;
    uint64_t acked, sent; /* sequences in the stream of tasks */
    triggers_feed feeds[TRIGGERS_INPUTS];
    triggers_input last_input; /* whose message was taken last, for fairness */

    triggers_position position; /* all before it is done; its own change or event, too, if `is_done`
                                 */
    bool is_done;
    char last_project[TRIGGERS_NAME_MAX + 1]; /* else: its tasks up to this one are stored */
    char last_trigger[TRIGGERS_NAME_MAX + 1];
    uint64_t position_revision; /* of its record in key-value */
    triggers_position saved;
    int64_t save_ms, purge_ms;
    uint64_t done_up_to; /* in the stream of tasks: all partitions were done with them */
    unsigned turns;      /* messages taken by this process */

    triggers_ledger ledger;                 /* who is heard live */
    triggers_round rounds[TRIGGERS_INPUTS]; /* of the histories */
    bool starts_are_due;                    /* something may begin, or go live */
    size_t starting;                        /* that are not heard live */

    const triggers_set *set;
    uint64_t *ids;   /* of each definition of the set, the ledger's */
    uint8_t *heards; /* of each, the input that it is heard by; TRIGGERS_INPUTS: none yet */
    const triggers_definition **others; /* of the set those that are on no table */
    size_t other_count;
    triggers_tables tables, types; /* of the change stream's relations; of types of events */

    core_assembly assemblies[TRIGGERS_INPUTS + 1]; /* of changes; the last: of what is recalled */
    core_arena arena;
    core_buffer body, key, arguments, task, told, names[2];
    core_buffer recalled; /* a message of the past */
    int64_t events_created_us;
    size_t told_count, told_number; /* in the record; of records since the last message */
    bool has_told;
    uint64_t told_records; /* since older ones were removed */
    int64_t max_payload;

    pthread_mutex_t lock; /* guards these */
    triggers_matcher_state state_now;
    char trouble[CORE_ERROR_TEXT_MAX];
    char gap[CORE_ERROR_TEXT_MAX]; /* what was missing last, while that is news */
    int64_t gap_until_ms;

    int wake_fd;
    atomic_bool stopping;
    bool has_thread;
    pthread_t thread;
};

/* A change or an event that is to be matched. */
typedef struct {
    triggers_matcher *matcher;
    triggers_input input;
    core_offset at; /* its place in the input's stream */
    const core_change *change;
    triggers_body_facts facts;       /* `offset` is its id */
    unsigned result;                 /* of another trigger's: TRIGGERS_RESULT_*; 0: it is none */
    const triggers_definition *only; /* nobody else is asked, and this one whatever its beginning */
    size_t matched;                  /* rules that were true or not decided, once it is done */
    uint16_t depth;
    bool is_partly; /* tasks up to the matcher's last trigger are stored already */
} triggers_case;

/* matcher.c */
/* Keeps the lease. False: it is lost, or we are to stop. */
bool triggers_matcher_goes_on(triggers_matcher *matcher);
void triggers_matcher_wait(triggers_matcher *matcher, int fd, int64_t wait_ms);

/* matcher_gap.c */
/* Something of the input is gone that was not matched: told wherever somebody looks. */
CORE_MUST_CHECK bool triggers_matcher_gap(triggers_matcher *matcher, triggers_input input,
                                          const char *text, core_error *error);

/* matcher_place.c */
/* The place to go on from, out of the tail and the record in key-value; changes nothing. */
CORE_MUST_CHECK bool triggers_matcher_place(triggers_matcher *matcher, const fanout_tail *tail,
                                            core_error *error);
/* Makes the record ours: whoever read it before cannot move it any more. */
CORE_MUST_CHECK bool triggers_matcher_claim(triggers_matcher *matcher, core_error *error);
/* Stores the position when all before it is stored; CONFLICT: another matcher has. */
CORE_MUST_CHECK bool triggers_matcher_save(triggers_matcher *matcher, core_error *error);
/* Whether the input's change or event was done before. `*is_partly`: some of its tasks were. */
bool triggers_matcher_is_done(const triggers_matcher *matcher, triggers_input input,
                              const core_offset *at, const core_change *change, bool *is_partly);

/* matcher_input.c */
CORE_MUST_CHECK bool triggers_matcher_inputs_open(triggers_matcher *matcher, core_error *error);
void triggers_matcher_inputs_close(triggers_matcher *matcher);

/* A history from its round's beginning, or its place in that. */
CORE_MUST_CHECK bool triggers_matcher_input_open(triggers_matcher *matcher, triggers_input input,
                                                 core_error *error);

/* matcher_starts.c */
/* Ledger and rounds as they are kept; before the inputs are opened. */
CORE_MUST_CHECK bool triggers_matcher_starts_read(triggers_matcher *matcher, core_error *error);
/* The set is another one: who of it is heard by which input. False without memory. */
CORE_MUST_CHECK bool triggers_matcher_starts_renew(triggers_matcher *matcher);
/* Begins what can begin, ends the rounds that have come to the live place; between two messages. */
CORE_MUST_CHECK bool triggers_matcher_starts_look(triggers_matcher *matcher, core_error *error);
/* Whether the definition is heard by the input. */
bool triggers_matcher_hears(const triggers_matcher *matcher, triggers_input input,
                            const triggers_definition *definition);
/* Whether a message of a history may be taken now: its tasks must not stand in front of live ones
 * in any number. */
bool triggers_matcher_history_may(const triggers_matcher *matcher);

/* matcher_change.c, matcher_event.c: one message of the input. False: begin again from the tail. */
CORE_MUST_CHECK bool triggers_matcher_take_changes(triggers_matcher *matcher, triggers_input input,
                                                   uint64_t sequence, core_slice message,
                                                   core_error *error);
CORE_MUST_CHECK bool triggers_matcher_take_event(triggers_matcher *matcher, triggers_input input,
                                                 uint64_t sequence, core_slice message,
                                                 core_error *error);

/* The case of an event, and the index of its rules; NULL: nobody hears it. `change` is the case's
 * then. Reads into the arena. */
CORE_MUST_CHECK bool triggers_matcher_event_case(triggers_case *it, const triggers_heard *heard,
                                                 core_slice id, core_change *change,
                                                 triggers_rule_index **index, core_error *error);
/* matcher_redeliver.c: the case is the wish's event, of that project. */
CORE_MUST_CHECK bool triggers_matcher_redeliver(triggers_case *it, core_slice project,
                                                core_slice payload, core_error *error);

/* matcher_match.c: all rules of the index that the case makes true become tasks; it is done then.
 * `index` may be NULL. */
CORE_MUST_CHECK bool triggers_matcher_match(triggers_case *it, triggers_rule_index *index,
                                            core_error *error);

/* matcher_output.c */
CORE_MUST_CHECK bool triggers_matcher_send(triggers_matcher *matcher, uint64_t key_hash,
                                           core_slice task, core_error *error);
CORE_MUST_CHECK bool triggers_matcher_poll(triggers_matcher *matcher, core_error *error);
/* Waits until all tasks are stored. */
CORE_MUST_CHECK bool triggers_matcher_flush(triggers_matcher *matcher, core_error *error);
/* What was not decided is told, in one record with others; one that is full goes first. Not within
 * a task: it takes the task's buffer. */
CORE_MUST_CHECK bool triggers_matcher_tell(triggers_matcher *matcher, triggers_entry *entry,
                                           core_error *error);
CORE_MUST_CHECK bool triggers_matcher_tell_all(triggers_matcher *matcher, core_error *error);
/* Removes tasks that all partitions are done with. */
void triggers_matcher_purge(triggers_matcher *matcher);

/* matcher_tables.c */
/* The present set of definitions, between two messages. False without memory: it is tried again. */
CORE_MUST_CHECK bool triggers_matcher_set_renew(triggers_matcher *matcher, core_error *error);
/* NULL: there are no rules on the table, or their index cannot be made. */
triggers_rule_index *triggers_matcher_index(triggers_matcher *matcher,
                                            const core_relation *relation);
/* The same of a project's events: of a schedule's or a result's `name` is the trigger's, else the
 * event's type. */
triggers_rule_index *triggers_matcher_event_index(triggers_matcher *matcher, triggers_on on,
                                                  core_slice project, core_slice name);
void triggers_matcher_tables_forget(triggers_matcher *matcher);

#endif
